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
#endif
