import CKernels
import Tape

/// How far one operator's result may lie from what it would be without rounding, from the same operands (NUMERICS 1).
enum LocalError {
  case exact
  /// A bound for each element, in f64.
  case bound(UnsafeMutablePointer<Double>)
  /// No bound from the operands alone is known: what the wide result shows.
  case measured
  case refused
}

/// In units of u |v|: 2 for functions good to 1 ulp. SLEEF's u10 functions and the rows built on them keep their tested bound (`ulpBound`, in ulps).
func roundoffs(_ op: OpCode) -> Double {
  switch op.elementwise {
  case .unary(let u):
    switch u {
    case .exp, .exp2, .expm1, .log, .log2, .log10, .log1p, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh, .cbrt, .erf: return 2
    case .rsqrt: return 2
    default: break
    }
  case .binary(let b):
    switch b {
    case .pow, .atan2, .hypot: return 2
    default: break
    }
  case .ternary: break
  }
  return ulpBound(op) * 2
}

/// Added where a result passes through 0 without being good to ulps there.
func absoluteRoundoffs(_ op: OpCode) -> Double {
  switch op {
  case OpCode(Unary.lgamma), OpCode(Unary.digamma), OpCode(Unary.gamma), OpCode(Binary.betaln), OpCode(Binary.beta): 4
  case OpCode(Binary.logaddexp), OpCode(Binary.logaddexp2): 0x1p-9
  default: 0
  }
}

/// Additions that any element of a sum of n goes through (CKernels/folds.h): lanes of 32 rows, a binary tree of blocks, then the lanes.
func sumDepth(_ n: Int, _ d: DType) -> Double {
  if n <= 2 { return Double(max(n - 1, 0)) }
  let blocks = max(1, (n + 31) / 32), levels = Double(Int.bitWidth - (blocks - 1).leadingZeroBitCount)
  return min(Double(n - 1), 31 + levels + 2 + (d.compute == .f64 ? 3 : 4))
}
/// And a product's: mul, panels of 256 in sequence, then the panels.
func productDepth(_ k: Int) -> Double { Double(min(k, 256 + k / 256 + 1)) + 1 }

struct ErrorModel {
  let plain: Evaluator    // f64
  let keep: Pool

  /// x: operands in f64 where they are floats; v: the result in f64.
  func of(_ t: Tape, _ n: NodeID, _ x: [UnsafeRawPointer], _ v: UnsafePointer<Double>) -> LocalError {
    let type = t.type(n), op = t.op(n), count = type.count
    guard let f = Format(type.dtype), count > 0 else { return .exact }
    let half = type.dtype.isHalf, u = f.unit, inner = half ? 0x1p-24 : u, store = half ? u : 0
    func scaled(_ c: Double, _ plus: Double = 0, underflows: Bool = true) -> LocalError {
      guard let e = list(count) else { return .refused }
      let k = c * inner + store, add = (underflows ? f.tiny : 0) + plus
      for i in 0 ..< count { e[i] = magnitude(v[i], f) * k + add }
      return .bound(e)
    }
    if op.isElementwise {
      let c = roundoffs(op)
      if c == 0 { return .exact }
      let sums = op == OpCode(Binary.add) || op == OpCode(Binary.sub)
      return scaled(c, absoluteRoundoffs(op) * u, underflows: !sums)
    }
    let a = t.attrs(n), x0 = t.type(t.arity(n) > 0 ? t.input(n, 0) : n)
    switch op.structural {
    case .cast:
      if x0.dtype == .bool { return .exact }
      if let g = Format(x0.dtype), g.unit >= u, g.tiny >= f.tiny { return .exact }
      guard let e = list(count) else { return .refused }
      for i in 0 ..< count { e[i] = magnitude(v[i], f) * u + (x0.dtype.isFloat ? f.tiny : 0) }
      return .bound(e)
    case .sum:
      let m = a.reduce(1) { $0 &* x0.shape[x0.rank + $1] }, d = sumDepth(m, type.dtype)
      if d == 0 { return .exact }
      return folded(t, n, x, d * inner, store, v, f)
    case .prod:
      let m = a.reduce(1) { $0 &* x0.shape[x0.rank + $1] }
      return m <= 1 ? .exact : scaled(sumDepth(m, type.dtype))
    case .norm:
      let m = a.reduce(1) { $0 &* x0.shape[x0.rank + $1] }
      return scaled(type.dtype == .f64 ? sumDepth(m, .f64) / 2 + 3 : 1.01)
    case .logsumexp:
      let m = a.reduce(1) { $0 &* x0.shape[x0.rank + $1] }
      return scaled(1, (sumDepth(m, type.dtype) + 8) * inner)
    case .softmax: return softmaxError(type, a, x[0], v, f, inner, store)
    case .cumsum:
      let (_, m, _) = around(type.shape, axis: a[0])
      return m <= 1 ? .exact : folded(t, n, x, Double(m - 1) * inner, store, v, f)
    case .cumprod: return scaled(Double(around(type.shape, axis: a[0]).n))
    case .cumlogsumexp:
      guard let p = list(count), let e = list(count) else { return .refused }
      for i in 0 ..< count { p[i] = (6 * magnitude(v[i], f) + 1) * inner }
      if plain.kernel(.cumsum, [type.with(.f64)], type.with(.f64), a, [UnsafeRawPointer(p)], e) != nil { return .refused }
      for i in 0 ..< count { e[i] += store * magnitude(v[i], f) + f.tiny }
      return .bound(e)
    case .recurrence:
      guard let p = list(count), let q = list(count), let e = list(count) else { return .refused }
      let c = x[0].assumingMemoryBound(to: Double.self), b = x[1].assumingMemoryBound(to: Double.self)
      for i in 0 ..< count {
        p[i] = abs(c[i])
        q[i] = 3 * inner * (magnitude(v[i], f) + abs(b[i])) + f.tiny
      }
      if plain.kernel(.recurrence, [type.with(.f64), type.with(.f64)], type.with(.f64), a, [UnsafeRawPointer(p), UnsafeRawPointer(q)], e) != nil { return .refused }
      for i in 0 ..< count { e[i] += store * magnitude(v[i], f) }
      return .bound(e)
    case .scatterAdd:
      let m = t.type(t.input(n, 0)).shape[a[1]...].reduce(1, &*)
      return m <= 1 ? .exact : folded(t, n, x, Double(m - 1) * inner, store, v, f)
    case .segmentProd: return scaled(Double(max(1, t.type(t.input(n, 0)).count)))
    case .matmul:
      return folded(t, n, x, productDepth(x0.shape[x0.rank - 1 - a[0]]) * inner, store, v, f)
    case .conv:
      let w = t.type(t.input(n, 1)), o = max(1, w.shape.first ?? 1)
      return folded(t, n, x, (Double(w.count / o) + 2) * inner, store, v, f)
    case .solve, .triangularSolve, .cholesky, .det, .slogdet: return .measured
    case let s? where isLapack(s): return .measured
    default: return .exact
    }
  }

  /// What overflowed is as far off as the largest number.
  private func magnitude(_ v: Double, _ f: Format) -> Double { v == v ? min(abs(v), f.largest) : 0 }
  private func list(_ n: Int) -> UnsafeMutablePointer<Double>? { keep.take(n * 8).map { $0.assumingMemoryBound(to: Double.self) } }

  /// The operator itself over the operands' magnitudes, times `c`.
  private func folded(_ t: Tape, _ n: NodeID, _ x: [UnsafeRawPointer], _ c: Double, _ store: Double, _ v: UnsafePointer<Double>, _ f: Format) -> LocalError {
    var operands: [UnsafeRawPointer] = [], types: [TensorType] = []
    for i in x.indices {
      let k = t.type(t.input(n, i))
      types.append(k.dtype.isFloat ? k.with(.f64) : k)
      guard k.dtype.isFloat else { operands.append(x[i]); continue }
      guard let p = plain.scratch.take(k.count * 8) else { return .refused }
      let from = x[i].assumingMemoryBound(to: Double.self), to = p.assumingMemoryBound(to: Double.self)
      for j in 0 ..< k.count { to[j] = abs(from[j]) }
      operands.append(UnsafeRawPointer(p))
    }
    let type = t.type(n)
    guard let e = list(type.count), let s = t.structural(n), plain.kernel(s, types, type.with(.f64), t.attrs(n), operands, e) == nil else { return .refused }
    for i in 0 ..< type.count { e[i] = (e[i] == e[i] ? min(e[i], f.largest) : 0) * c * 1.01 + store * magnitude(v[i], f) + (s == .sum || s == .cumsum ? 0 : f.tiny) }
    return .bound(e)
  }

  private func softmaxError(_ type: TensorType, _ a: [Int], _ x: UnsafeRawPointer, _ v: UnsafePointer<Double>, _ f: Format, _ inner: Double, _ store: Double) -> LocalError {
    let (outer, n, step) = around(type.shape, axis: a[0])
    guard let e = list(type.count) else { return .refused }
    let p = x.assumingMemoryBound(to: Double.self), c = sumDepth(n, type.dtype) + 10 + Double(Int.bitWidth - n.leadingZeroBitCount)
    for o in 0 ..< outer {
      for i in 0 ..< step {
        let at = o * n * step + i
        var m = -Double.infinity
        for k in 0 ..< n { m = max(m, p[at + k * step]) }
        for k in 0 ..< n {
          let j = at + k * step, d = m - p[j]
          e[j] = magnitude(v[j], f) * (inner * (c + (d.isFinite ? d : 0)) + store) + f.tiny
        }
      }
    }
    return .bound(e)
  }
}
