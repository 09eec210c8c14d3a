/* Named arrays in files: the safetensors format. */
#ifndef CAMBER_TENSORS_HPP
#define CAMBER_TENSORS_HPP

#include "program.hpp"

namespace camber {

/* A named array that somebody else owns. */
struct Tensor {
  std::string name;
  Type type;
  const void *data;
};

inline void save_tensors(const std::string &path, const std::vector<Tensor> &tensors) {
  std::vector<const char *> names;
  std::vector<camber_dtype> dtypes;
  std::vector<std::size_t> ranks;
  std::vector<std::int64_t> shapes;
  std::vector<const void *> data;
  for (const Tensor &t : tensors) {
    names.push_back(t.name.c_str());
    dtypes.push_back(raw(t.type.dtype));
    ranks.push_back(t.type.shape.size());
    shapes.insert(shapes.end(), t.type.shape.begin(), t.type.shape.end());
    data.push_back(t.data);
  }
  camber_status s = camber_tensors_save(path.c_str(), names.size(), names.data(), dtypes.data(), ranks.data(), shapes.data(), data.data());
  if (s < 0) throw error(s, "tensors: " + path + ": " + camber_status_message(s));
}

/* A file that was read; its tensors point into it. */
class Tensors {
 public:
  explicit Tensors(const std::string &path) {
    camber_status s = CAMBER_OK;
    handle_.reset(camber_tensors_open(path.c_str(), &s));
    if (!handle_) throw error(s, "tensors: " + path + ": " + camber_status_message(s));
  }
  std::size_t size() const noexcept { return camber_tensors_count(handle_.get()); }
  Tensor operator[](std::size_t i) const {
    const char *name = nullptr;
    camber_dtype dtype = 0;
    std::size_t rank = 0;
    const std::int64_t *shape = nullptr;
    Tensor t{};
    detail::check(camber_tensors_get(handle_.get(), i, &name, &dtype, &rank, &shape, &t.data), "tensors: index out of range");
    t.name = name;
    t.type = {static_cast<DType>(dtype), Shape(shape, shape + rank)};
    return t;
  }
  Tensor at(const std::string &name) const {
    for (std::size_t i = 0; i < size(); i++) {
      Tensor t = (*this)[i];
      if (t.name == name) return t;
    }
    throw error(CAMBER_EINVAL, "tensors: none is named " + name);
  }

 private:
  detail::Handle<camber_tensors, camber_tensors_free> handle_;
};

}  // namespace camber
#endif
