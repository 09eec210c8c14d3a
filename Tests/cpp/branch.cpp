// Does not compile, and says why at the line of the branch.
#include <camber.hpp>

template <class T>
T f(const T &x) {
  if (x > 0) return x;   // the line
  return -x;
}

int main() {
  camber::Tape t;
  return f(t.input()).rank() != 0;
}
