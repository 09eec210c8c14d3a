/* OpenBLAS as pkg-config finds it. The LAPACK entries are declared by hand: lapack.h is not installed everywhere. */
#ifndef CAMBER_OPENBLAS_SHIM_H
#define CAMBER_OPENBLAS_SHIM_H
#include <cblas.h>

/* Fortran conventions: column-major, everything by address; the hidden lengths of the one-letter strings are ignored. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
void sgetrf_(const int *m, const int *n, float *a, const int *lda, int *pivots, int *info);
void dgetrs_(const char *trans, const int *n, const int *columns, const double *a, const int *lda, const int *pivots,
             double *b, const int *ldb, int *info);
void sgetrs_(const char *trans, const int *n, const int *columns, const float *a, const int *lda, const int *pivots,
             float *b, const int *ldb, int *info);
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);
void dorglq_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work, const int *lwork, int *info);
void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work, const int *lwork,
             int *iwork, const int *liwork, int *info);
void dgesdd_(const char *job, const int *m, const int *n, double *a, const int *lda, double *s, double *u, const int *ldu, double *vt, const int *ldvt,
             double *work, const int *lwork, int *iwork, int *info);
void dgbtrf_(const int *m, const int *n, const int *kl, const int *ku, double *ab, const int *ldab, int *pivots, int *info);
void dgbtrs_(const char *trans, const int *n, const int *kl, const int *ku, const int *columns, const double *ab, const int *ldab,
             const int *pivots, double *b, const int *ldb, int *info);
void sgelqf_(const int *m, const int *n, float *a, const int *lda, float *tau, float *work, const int *lwork, int *info);
void sorglq_(const int *m, const int *n, const int *k, float *a, const int *lda, const float *tau, float *work, const int *lwork, int *info);
void ssyevd_(const char *job, const char *uplo, const int *n, float *a, const int *lda, float *w, float *work, const int *lwork,
             int *iwork, const int *liwork, int *info);
void sgesdd_(const char *job, const int *m, const int *n, float *a, const int *lda, float *s, float *u, const int *ldu, float *vt, const int *ldvt,
             float *work, const int *lwork, int *iwork, int *info);
void sgbtrf_(const int *m, const int *n, const int *kl, const int *ku, float *ab, const int *ldab, int *pivots, int *info);
void sgbtrs_(const char *trans, const int *n, const int *kl, const int *ku, const int *columns, const float *ab, const int *ldab,
             const int *pivots, float *b, const int *ldb, int *info);
/* Complex numbers are pairs of doubles; without sorting `select` and `bwork` are not looked at. */
void zgees_(const char *job, const char *sort, const void *select, const int *n, double *a, const int *lda, int *sdim, double *w,
            double *vs, const int *ldvs, double *work, const int *lwork, double *rwork, int *bwork, int *info);
#endif
