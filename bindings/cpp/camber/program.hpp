/* Program, Workspace and Linear: what runs. */
#ifndef CAMBER_PROGRAM_HPP
#define CAMBER_PROGRAM_HPP

#include <algorithm>
#include <initializer_list>

#include "transforms.hpp"

namespace camber {

/* A dtype and a shape. */
struct Type {
  DType dtype = f64;
  Shape shape;
  std::size_t size() const noexcept { return elements(shape); }
  std::size_t bytes() const noexcept { return size() * size_of(dtype); }
};

/* Arrays of doubles, one an input or output, in row-major order. */
using Arrays = std::vector<std::vector<double>>;
using Inputs = std::vector<const void *>;
using Outputs = std::vector<void *>;

namespace detail {

template <class To, class From>
void convert(void *to, const void *from, std::size_t n) {
  std::transform(static_cast<const From *>(from), static_cast<const From *>(from) + n, static_cast<To *>(to),
                 [](From v) { return static_cast<To>(v); });
}
inline void from_doubles(const Type &type, const std::vector<double> &from, void *to) {
  switch (type.dtype) {
    case DType::f64: return convert<double, double>(to, from.data(), from.size());
    case DType::f32: return convert<float, double>(to, from.data(), from.size());
    case DType::i64: return convert<std::int64_t, double>(to, from.data(), from.size());
    case DType::i32: return convert<std::int32_t, double>(to, from.data(), from.size());
    case DType::boolean: return convert<std::uint8_t, double>(to, from.data(), from.size());
    default: throw error(CAMBER_EDTYPE, "program: 16-bit inputs are given as arrays, by run");
  }
}
inline void to_doubles(const Type &type, const void *from, std::vector<double> &to) {
  switch (type.dtype) {
    case DType::f64: return convert<double, double>(to.data(), from, to.size());
    case DType::f32: return convert<double, float>(to.data(), from, to.size());
    case DType::i64: return convert<double, std::int64_t>(to.data(), from, to.size());
    case DType::i32: return convert<double, std::int32_t>(to.data(), from, to.size());
    case DType::boolean: return convert<double, std::uint8_t>(to.data(), from, to.size());
    default: throw error(CAMBER_EDTYPE, "program: 16-bit outputs are taken as arrays, by run");
  }
}

}  // namespace detail

class Program;

/* The memory of one running thread. */
class Workspace {
 public:
  explicit Workspace(const Program &program);
  camber_workspace *handle() const noexcept { return handle_.get(); }

 private:
  detail::Handle<camber_workspace, camber_workspace_free> handle_;
};

/* Chosen outputs of a tape as a function of chosen inputs, planned. Shared by threads, each with its Workspace. */
class Program {
 public:
  Program(const Nodes &inputs, const Nodes &outputs) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
    if (!tape) throw error(CAMBER_EINVAL, "program: no outputs");
    auto in = detail::ids(inputs), out = detail::ids(outputs);
    handle_.reset(camber_program_new(tape->handle.get(), in.data(), in.size(), out.data(), out.size()));
    if (!handle_) detail::fail(tape);
  }

  /* Takes a program of the C interface over. */
  explicit Program(camber_program *taken) : handle_(taken) {}

  Program &set(const char *name, double value) {
    check(camber_program_set(handle(), name, value));
    return *this;
  }
  /* Lets an output be written over an input: one pointer for both. */
  Program &alias(std::size_t output, std::size_t input) {
    check(camber_program_alias(handle(), output, input));
    return *this;
  }

  std::size_t input_count() const noexcept { return camber_program_input_count(handle()); }
  std::size_t output_count() const noexcept { return camber_program_output_count(handle()); }
  Type input_type(std::size_t i) const { return type(camber_program_input_type, i); }
  Type output_type(std::size_t i) const { return type(camber_program_output_type, i); }
  std::size_t memory() const noexcept { return camber_program_memory(handle()); }
  std::string explain() const {
    const char *text = camber_program_explain(handle());
    return text ? text : "";
  }

  /* Runs on the host's arrays. CAMBER_OK, or a recoverable outcome such as CAMBER_NONFINITE. */
  camber_status run(Workspace &w, const void *const *inputs, void *const *outputs) const {
    camber_status s = camber_run(handle(), w.handle(), inputs, outputs);
    return s < 0 ? detail::check(s, camber_workspace_message(w.handle())) : s;
  }
  camber_status run(Workspace &w, const Inputs &inputs, const Outputs &outputs) const {
    detail::same(inputs.size(), input_count(), "program: the counts of arrays given and of inputs");
    detail::same(outputs.size(), output_count(), "program: the counts of arrays given and of outputs");
    return run(w, inputs.data(), outputs.data());
  }

  /* Runs on doubles, in a workspace of its own: for small things, one thread at a time. */
  Arrays operator()(const Arrays &inputs) {
    detail::same(inputs.size(), input_count(), "program: the counts of arrays given and of inputs");
    if (!own_) own_ = std::make_unique<Workspace>(*this);
    std::vector<std::vector<unsigned char>> in(inputs.size()), out(output_count());
    Inputs at;
    Outputs to;
    for (std::size_t i = 0; i < in.size(); i++) {
      Type t = input_type(i);
      detail::same(inputs[i].size(), t.size(), "program: the sizes of an array and its input");
      in[i].resize(t.bytes() + 1);
      detail::from_doubles(t, inputs[i], in[i].data());
      at.push_back(in[i].data());
    }
    for (std::size_t i = 0; i < out.size(); i++) {
      out[i].resize(output_type(i).bytes() + 1);
      to.push_back(out[i].data());
    }
    if (run(*own_, at.data(), to.data()) == CAMBER_FLIPPED) throw error(CAMBER_FLIPPED, camber_workspace_message(own_->handle()));
    Arrays results(out.size());
    for (std::size_t i = 0; i < out.size(); i++) {
      results[i].resize(output_type(i).size());
      detail::to_doubles(output_type(i), out[i].data(), results[i]);
    }
    return results;
  }

  camber_program *handle() const noexcept { return handle_.get(); }

 private:
  camber_status check(camber_status s) const { return s < 0 ? detail::check(s, camber_program_message(handle())) : s; }
  template <class F>
  Type type(F query, std::size_t i) const {
    camber_dtype dtype = 0;
    std::size_t rank = 0;
    Type out;
    check(query(handle(), i, &dtype, &rank, nullptr, 0));
    out.shape.resize(rank);
    check(query(handle(), i, &dtype, &rank, out.shape.data(), rank));
    out.dtype = static_cast<DType>(dtype);
    return out;
  }
  detail::Handle<camber_program, camber_program_free> handle_;
  std::unique_ptr<Workspace> own_;
};

inline Workspace::Workspace(const Program &program) : handle_(camber_workspace_new(program.handle())) {
  if (!handle_) throw error(CAMBER_ENOMEM, "workspace: memory was refused");
}

/* A function linearised: the point part once, any number of products after it. */
class Linear {
 public:
  Linear(const Nodes &inputs, const Nodes &outputs) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
    if (!tape) throw error(CAMBER_EINVAL, "linear: no outputs");
    auto in = detail::ids(inputs), out = detail::ids(outputs);
    handle_.reset(camber_linear_new(tape->handle.get(), in.data(), in.size(), out.data(), out.size()));
    if (!handle_) detail::fail(tape);
  }
  /* Evaluates at a point; outputs may be empty. */
  camber_status at(const Inputs &inputs, const Outputs &outputs = {}) {
    return check(camber_linear_at(handle(), inputs.data(), outputs.empty() ? nullptr : outputs.data()));
  }
  camber_status jvp(const Inputs &tangents, const Outputs &out) { return check(camber_linear_jvp(handle(), tangents.data(), out.data())); }
  camber_status vjp(const Inputs &cotangents, const Outputs &gradients) {
    return check(camber_linear_vjp(handle(), cotangents.data(), gradients.data()));
  }
  camber_linear *handle() const noexcept { return handle_.get(); }

 private:
  camber_status check(camber_status s) const { return s < 0 ? detail::check(s, camber_linear_message(handle())) : s; }
  detail::Handle<camber_linear, camber_linear_free> handle_;
};

}  // namespace camber
#endif
