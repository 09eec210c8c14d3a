/* Errors, dtypes and shapes: what every other header of camber.hpp stands on. */
#ifndef CAMBER_BASE_HPP
#define CAMBER_BASE_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <camber.h>

namespace camber {

/* What went wrong: the status of camber.h and the library's sentence. */
class error : public std::runtime_error {
 public:
  error(camber_status status, const std::string &sentence) : std::runtime_error(sentence), status_(status) {}
  camber_status status() const noexcept { return status_; }

 private:
  camber_status status_;
};

enum class DType : camber_dtype {
  f64 = CAMBER_F64,
  f32 = CAMBER_F32,
  f16 = CAMBER_F16,
  bf16 = CAMBER_BF16,
  i64 = CAMBER_I64,
  i32 = CAMBER_I32,
  boolean = CAMBER_BOOL
};

inline constexpr DType f64 = DType::f64, f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
inline constexpr DType i64 = DType::i64, i32 = DType::i32, boolean = DType::boolean;

inline camber_dtype raw(DType d) noexcept { return static_cast<camber_dtype>(d); }
inline std::size_t size_of(DType d) noexcept { return camber_dtype_size(raw(d)); }
inline const char *name_of(DType d) noexcept { return camber_dtype_name(raw(d)); }
inline bool is_float(DType d) noexcept { return raw(d) >= CAMBER_F64 && raw(d) <= CAMBER_BF16; }

/* NumPy's promotion of two dtypes; f16 with bf16 gives f32. */
inline DType promote(DType a, DType b) noexcept {
  if (a == b || b == boolean) return a;
  if (a == boolean) return b;
  if (is_float(a) != is_float(b)) return f64;
  if (!is_float(a)) return i64;
  return a == f64 || b == f64 ? f64 : f32;
}

/* The dtype that holds a C++ type's elements. */
template <class T>
struct dtype_of;
template <> struct dtype_of<double> { static constexpr DType value = f64; };
template <> struct dtype_of<float> { static constexpr DType value = f32; };
template <> struct dtype_of<std::int64_t> { static constexpr DType value = i64; };
template <> struct dtype_of<std::int32_t> { static constexpr DType value = i32; };

using Shape = std::vector<std::int64_t>;

inline std::size_t elements(const Shape &shape) noexcept {
  std::size_t n = 1;
  for (std::int64_t d : shape) n *= static_cast<std::size_t>(d);
  return n;
}

/* One axis or several; none given means all of them. */
struct Axes : std::vector<std::int64_t> {
  Axes() = default;
  Axes(int axis) : vector{axis} {}
  Axes(std::int64_t axis) : vector{axis} {}
  Axes(std::initializer_list<std::int64_t> axes) : vector(axes) {}
  Axes(const std::vector<std::int64_t> &axes) : vector(axes) {}
};

inline std::uint32_t version() noexcept { return camber_version(); }
inline const char *header_digest() noexcept { return camber_header_digest(); }

namespace detail {

/* What a callback threw in this thread, on its way to the call that it came from. */
inline std::exception_ptr &thrown() noexcept {
  static thread_local std::exception_ptr p;
  return p;
}
inline void rethrow(camber_status status) {
  if (status != CAMBER_ECALLBACK || !thrown()) return;
  std::exception_ptr p = nullptr;
  std::swap(p, thrown());
  std::rethrow_exception(p);
}

/* Throws for a negative status; hands a recoverable one back. */
inline camber_status check(camber_status status, const char *sentence) {
  if (status >= 0) return status;
  rethrow(status);
  throw error(status, sentence && *sentence ? sentence : camber_status_message(status));
}

/* A unique_ptr that frees by a C function. */
template <class T, void (*Free)(T *)>
struct Deleter {
  void operator()(T *p) const noexcept { Free(p); }
};
template <class T, void (*Free)(T *)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

}  // namespace detail
}  // namespace camber
#endif
