/* Functions in files: what was recorded, with its derivatives, to be run elsewhere. */
#ifndef CAMBER_ARCHIVE_HPP
#define CAMBER_ARCHIVE_HPP

#include "program.hpp"

namespace camber {

/* Functions by name. A new one is empty; Archive(path) reads a file, Archive::unpack bytes in memory. */
class Archive {
 public:
  Archive() : handle_(camber_archive_new()) {
    if (!handle_) throw error(CAMBER_ENOMEM, "archive: memory was refused");
  }
  explicit Archive(const std::string &path) : Archive() { check(camber_archive_load(handle(), path.c_str())); }
  static Archive unpack(const void *data, std::size_t size) {
    Archive a;
    a.check(camber_archive_unpack(a.handle(), data, size));
    return a;
  }

  using Names = std::vector<std::string>;
  /* Adds outputs as a function of inputs; no names, or one each. */
  Archive &add(const std::string &function, const Nodes &inputs, const Nodes &outputs, const Names &input_names = {}, const Names &output_names = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
    if (!tape) throw error(CAMBER_EINVAL, "archive: no outputs");
    auto in = detail::ids(inputs), out = detail::ids(outputs);
    auto in_names = texts(input_names, in.size()), out_names = texts(output_names, out.size());
    check(camber_archive_add(handle(), function.c_str(), tape->handle.get(), in.data(), in_names.data(), in.size(), out.data(), out_names.data(), out.size()));
    return *this;
  }
  Archive &set(const std::string &function, const char *option, double value) {
    check(camber_archive_set(handle(), function.c_str(), option, value));
    return *this;
  }
  Archive &alias(const std::string &function, std::size_t output, std::size_t input) {
    check(camber_archive_alias(handle(), function.c_str(), output, input));
    return *this;
  }
  Archive &note(const std::string &key, const std::string &text) {
    check(camber_archive_set_note(handle(), key.c_str(), text.c_str()));
    return *this;
  }
  /* "" where there is none. */
  std::string note(const std::string &key) const {
    const char *text = camber_archive_note(handle(), key.c_str());
    return text ? text : "";
  }

  void save(const std::string &path) { check(camber_archive_save(handle(), path.c_str())); }
  std::vector<unsigned char> pack() {
    const void *data = nullptr;
    std::size_t size = 0;
    check(camber_archive_pack(handle(), &data, &size));
    auto *bytes = static_cast<const unsigned char *>(data);
    return {bytes, bytes + size};
  }

  std::size_t size() const noexcept { return camber_archive_count(handle()); }
  Names functions() const {
    Names names;
    for (std::size_t i = 0; i < size(); i++) names.push_back(camber_archive_function(handle(), i));
    return names;
  }
  Names input_names(const std::string &function) const { return names(camber_archive_input_name, function); }
  Names output_names(const std::string &function) const { return names(camber_archive_output_name, function); }

  /* A function as a program, its options set. */
  Program program(const std::string &function) {
    camber_program *p = camber_archive_program(handle(), function.c_str());
    if (!p) throw error(CAMBER_EINVAL, camber_archive_message(handle()));
    return Program(p);
  }
  /* Its outputs where another function is recorded, of nodes of that tape. */
  Nodes operator()(const std::string &function, const Nodes &inputs) {
    detail::TapeRef *tape = detail::inner(inputs);
    if (!tape) throw error(CAMBER_EINVAL, "archive: no inputs: the tape is not known");
    auto in = detail::ids(inputs);
    std::size_t outputs = 0;
    if (camber_archive_arity(handle(), function.c_str(), nullptr, &outputs)) throw error(CAMBER_EINVAL, "archive: no function is called " + function);
    std::vector<camber_node> out(outputs);
    if (camber_archive_apply(handle(), function.c_str(), tape->handle.get(), in.data(), in.size(), out.data())) detail::fail(tape);
    return detail::wrap(tape, out);
  }

  camber_archive *handle() const noexcept { return handle_.get(); }

 private:
  void check(camber_status s) const { detail::check(s, camber_archive_message(handle())); }
  static std::vector<const char *> texts(const Names &names, std::size_t n) {
    std::vector<const char *> list(n, nullptr);
    for (std::size_t i = 0; i < n && i < names.size(); i++) list[i] = names[i].c_str();
    return list;
  }
  template <class F>
  Names names(F query, const std::string &function) const {
    Names list;
    for (std::size_t i = 0; const char *name = query(handle(), function.c_str(), i); i++) list.push_back(name);
    return list;
  }
  detail::Handle<camber_archive, camber_archive_free> handle_;
};

}  // namespace camber
#endif
