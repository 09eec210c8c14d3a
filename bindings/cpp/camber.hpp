/* Camber for C++17: the whole of camber.h with RAII, operators and exceptions. Header-only; link with -lcamber.
 *
 *     camber::Tape tape;
 *     camber::Node x = tape.input(camber::f64, {3});
 *     camber::Node y = sum(sin(x)) * exp(-sum(square(x)));
 *     camber::Program f({x}, {y, grad(y, x)});
 *     auto out = f({{0.1, 0.2, 0.3}});                     // out[0]: the value, out[1]: the gradient
 *
 * ERRORS are camber::error, thrown by the call that is wrong, with the status and the sentence of the library. The tape
 * then forgets the error: what was built before it still stands.
 *
 * OPERANDS are nodes and numbers. Shapes are broadcast and dtypes promoted as NumPy does it, by explicit nodes on the tape;
 * a number takes the dtype of the node beside it unless that cannot hold its kind (an integer node and 0.5 give f64). In
 * arithmetic a bool counts as the i64 0 or 1; integers under a function of floats become f64.
 *
 * LIFETIME. A Node is two words and belongs to its Tape: it may not be used after the Tape is gone. Programs, linears and
 * optimizers own what they need. All handles move and none copies.
 *
 * THREADS. As in camber.h: const methods from many threads, the others from one at a time.
 */
#ifndef CAMBER_HPP
#define CAMBER_HPP

#include "camber/base.hpp"
#include "camber/node.hpp"
#include "camber/ops.hpp"
#include "camber/shapes.hpp"
#include "camber/generic.hpp"
#include "camber/windows.hpp"
#include "camber/transforms.hpp"
#include "camber/host.hpp"
#include "camber/linalg.hpp"
#include "camber/program.hpp"
#include "camber/training.hpp"
#include "camber/plan.hpp"
#include "camber/nonfinite.hpp"
#include "camber/stabilizer.hpp"
#include "camber/solver.hpp"
#include "camber/sparse.hpp"
#include "camber/curvature.hpp"
#include "camber/report.hpp"
#include "camber/health.hpp"
#include "camber/rounding.hpp"
#include "camber/tensors.hpp"
#include "camber/archive.hpp"

#endif
