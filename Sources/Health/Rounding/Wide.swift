import CKernels
import Tape

/// Evaluates nodes one at a time: as programs do, in the nodes' own dtypes, or wide: floats in binary128 or f64, the rest as it is.
/// Operands and results are dense.
struct Evaluator {
  enum Width { case own, f64, quad }
  let width: Width
  let scratch: Pool

  /// Bytes of one element.
  static func size(_ d: DType, _ w: Width) -> Int { !d.isFloat ? d.size : w == .quad ? 16 : w == .f64 ? 8 : d.size }
  func bytes(_ t: TensorType) -> Int { t.count * Evaluator.size(t.dtype, width) }
  func type(_ t: TensorType) -> TensorType { t.dtype.isFloat && width != .own ? t.with(.f64) : t }

  /// nil: done. A sentence: why not.
  func apply(_ t: Tape, _ n: NodeID, _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let r = t.record(n), op = OpCode(raw: r.op), type = t.type(n)
    if type.count == 0 { return nil }
    if op.isElementwise { return elementwise(t, n, op, x, out) }
    guard let s = op.structural else { return "an operator is not known" }
    switch s {
    case .constant:
      let bits = t.constantBits(n)
      if type.dtype.isFloat {
        var v = Double(bitPattern: bits)
        convert(.f64, &v, type.dtype, out, 1)
      } else {
        var slot = bits
        out.copyMemory(from: &slot, byteCount: type.dtype.size)
      }
      return nil
    case .array:
      convert(type.dtype, t.arrays[Int(r.a)].data, type.dtype, out, type.count)
      return nil
    case .iota:
      let (outer, m, inner) = around(type.shape, axis: t.attrs(n)[0])
      if width == .own || !type.dtype.isFloat {
        ck_iota(type.dtype.rawValue, out, outer, m, inner)
        return nil
      }
      guard let p = scratch.take(type.count * 8) else { return refused }
      ck_iota(DType.i64.rawValue, p, outer, m, inner)
      convert(.i64, p, type.dtype, out, type.count)
      return nil
    case .after: return copy(t, n, x[0], out)
    case .cast: return cast(t, n, x[0], out)
    case .input, .capture: return "an input has no value"
    default:
      if width == .quad, type.dtype.isFloat || (0 ..< x.count).contains(where: { t.dtype(t.input(n, $0)).isFloat }) { return quad(t, n, s, x, out) }
      return kernel(s, (0 ..< x.count).map { self.type(t.type(t.input(n, $0))) }, self.type(type), t.attrs(n), x, out)
    }
  }

  var refused: String { "memory was refused, or the limit of it is reached" }

  /// From a stored dtype to what stands for `d` here.
  func convert(_ from: DType, _ x: UnsafeRawPointer, _ d: DType, _ out: UnsafeMutableRawPointer, _ count: Int) {
    if !d.isFloat || width == .own {
      ck_cast_kernel(from.rawValue, d.rawValue)?(x, nil, nil, out, count)
    } else if width == .quad {
      ck_quad_from(from.rawValue, x, out, count)
    } else {
      ck_cast_kernel(from.rawValue, DType.f64.rawValue)?(x, nil, nil, out, count)
    }
  }

  private func copy(_ t: Tape, _ n: NodeID, _ x: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) -> String? {
    out.copyMemory(from: x, byteCount: bytes(t.type(n)))
    return nil
  }

  private func cast(_ t: Tape, _ n: NodeID, _ x: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) -> String? {
    let from = t.type(t.input(n, 0)), to = t.type(n)
    if width == .own || !from.dtype.isFloat {
      convert(from.dtype, x, to.dtype, out, to.count)
    } else if to.dtype.isFloat {
      return copy(t, n, x, out)
    } else if width == .f64 {
      ck_cast_kernel(DType.f64.rawValue, to.dtype.rawValue)?(x, nil, nil, out, to.count)
    } else {
      guard let p = scratch.take(to.count * 8) else { return refused }
      ck_quad_to(x, p.assumingMemoryBound(to: Double.self), to.count)
      ck_cast_kernel(DType.f64.rawValue, to.dtype.rawValue)?(p, nil, nil, out, to.count)
    }
    return nil
  }

  private func elementwise(_ t: Tape, _ n: NodeID, _ op: OpCode, _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let type = t.type(n), count = type.count
    let d = op.elementwiseDType(t.dtype(t.input(n, 0)), x.count > 1 ? t.dtype(t.input(n, 1)) : nil)
    if d.isFloat, width == .quad {
      return ck_quad_row(Int32(op.raw), x[0], x.count > 1 ? x[1] : nil, x.count > 2 ? x[2] : nil, out, count) ? nil : "\(op.name) has no wide form"
    }
    let run = d.isFloat && width == .f64 ? DType.f64 : d.compute
    guard let k = ck_row_kernel(Int32(op.raw), run.rawValue) else { return "\(op.name) has no kernel" }
    guard d.isHalf, width == .own else {
      k(x[0], x.count > 1 ? x[1] : nil, x.count > 2 ? x[2] : nil, out, count)
      return nil
    }
    // 16 bits: in f32, rounded once.
    var p: [UnsafeRawPointer?] = [nil, nil, nil]
    for i in x.indices {
      guard t.dtype(t.input(n, i)).isHalf else { p[i] = x[i]; continue }
      guard let w = scratch.take(count * 4) else { return refused }
      ck_cast_kernel(d.rawValue, DType.f32.rawValue)?(x[i], nil, nil, w, count)
      p[i] = UnsafeRawPointer(w)
    }
    guard type.dtype.isHalf else {
      k(p[0], p[1], p[2], out, count)
      return nil
    }
    guard let w = scratch.take(count * 4) else { return refused }
    k(p[0], p[1], p[2], w, count)
    ck_cast_kernel(DType.f32.rawValue, d.rawValue)?(w, nil, nil, out, count)
    return nil
  }

  func kernel(_ s: Structural, _ types: [TensorType], _ type: TensorType, _ attrs: [Int], _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let r = row(s), need = r.scratch(types, attrs, type)
    var room: UnsafeRawPointer?
    if need > 0 {
      guard let p = scratch.take(need + 64) else { return refused }
      room = UnsafeRawPointer(p.alignedUp(toMultipleOf: 64))
    }
    var table = x.map { $0 as UnsafeRawPointer? } + [UnsafeRawPointer(out), room]
    let g = r.geometry(types, attrs, type)
    return table.withUnsafeMutableBytes { p -> String? in
      guard let base = p.baseAddress else { return refused }
      return r.kernel(Call(x: UnsafePointer(base.assumingMemoryBound(to: UnsafeRawPointer.self)), types: types, type: type, attrs: attrs, geometry: g))
    }
  }

  // MARK: binary128

  private func quad(_ t: Tape, _ n: NodeID, _ s: Structural, _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let type = t.type(n), a = t.attrs(n), types = (0 ..< x.count).map { t.type(t.input(n, $0)) }
    func reduced(_ op: Reduction) -> String? { fold(op, types[0], a, x[0], out) }
    func running(_ op: Int32) -> String? {
      let (outer, m, inner) = around(type.shape, axis: a[0])
      ck_quad_running(op, outer, m, inner, a[1] != 0, x[0], x[op == 5 ? 1 : 0], out)
      return nil
    }
    func matrices(_ body: (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int) -> Void) -> String? {
      let m = types[0].shape, k = m[m.count - 1], columns = x.count > 1 ? type.shape[type.shape.count - 1] : k
      for i in 0 ..< m.dropLast(2).reduce(1, &*) {
        body(x[0] + i * k * k * 16, x[x.count - 1] + i * k * columns * 16, out + i * k * columns * 16, k, columns)
      }
      return nil
    }
    func scattered(_ op: Reduction) -> String? {
      guard let index = indices(types[0], x[0]) else { return refused }
      let b = a[1], k = type.shape.count + a[0], y = type.shape
      ck_quad_scatter(Int32(op.rawValue), index, y[..<b].reduce(1, &*), y[b ..< k].reduce(1, &*), y[k], types[0].shape[b...].reduce(1, &*), y[(k + 1)...].reduce(1, &*), x[1], out)
      return nil
    }
    switch s {
    case .reshape:
      out.copyMemory(from: x[0], byteCount: type.count * 16)
      return nil
    case .sum: return reduced(.sum)
    case .prod: return reduced(.prod)
    case .max: return reduced(.max)
    case .min: return reduced(.min)
    case .logsumexp: return reduced(.logsumexp)
    case .norm: return reduced(.norm)
    case .softmax:
      let (outer, m, inner) = around(type.shape, axis: a[0])
      ck_quad_softmax(outer, m, inner, x[0], out)
      return nil
    case .cumsum: return running(0)
    case .cumprod: return running(1)
    case .cummax: return running(2)
    case .cummin: return running(3)
    case .cumlogsumexp: return running(4)
    case .recurrence: return running(5)
    case .scatterAdd: return scattered(.sum)
    case .segmentProd: return scattered(.prod)
    case .segmentMax: return scattered(.max)
    case .segmentMin: return scattered(.min)
    case .matmul: return product(type, types, a, x, out)
    case .solve:
      guard let lu = scratch.take((types[0].shape.last ?? 0) * (types[0].shape.last ?? 0) * 16) else { return refused }
      return matrices { ck_quad_solve(a[0] != 0, $3, $4, $0, $1, $2, lu) }
    case .triangularSolve: return matrices { ck_quad_triangular(a[0] != 0, a[1] != 0, a[2] != 0, $3, $4, $0, $1, $2) }
    case .cholesky: return matrices { p, _, l, k, _ in ck_quad_cholesky(a.first.map { $0 != 0 } ?? true, k, p, l) }
    case .det, .slogdet:
      let k = types[0].shape.last ?? 0, step = s == .det ? 1 : 2
      guard let lu = scratch.take(k * k * 16) else { return refused }
      for i in 0 ..< types[0].shape.dropLast(2).reduce(1, &*) { ck_quad_det(k, s == .slogdet, x[0] + i * k * k * 16, out + i * step * 16, lu) }
      return nil
    case .argmax, .argmin, .cumargmax, .cumargmin, .argsort, .searchsorted, .poolIndex:
      // Places, of what f64 tells apart.
      var low: [UnsafeRawPointer] = []
      for i in x.indices { guard let p = narrowed(types[i], x[i]) else { return refused }; low.append(p) }
      return kernel(s, types.map { $0.dtype.isFloat ? $0.with(.f64) : $0 }, type, a, low, out)
    case .random:
      guard let p = scratch.take(type.count * 8) else { return refused }
      if let said = kernel(s, types, type, a, x, p) { return said }
      convert(type.dtype, p, type.dtype, out, type.count)
      return nil
    case .broadcast, .transpose, .slice, .pad, .concat, .roll, .gather, .dynamicSlice, .dynamicUpdate, .scatterSet, .sort: return moved(s, types, type, a, x, out)
    case .conv:
      let g = ConvAttrs(a).geometry(types[0], types[1], type), mx = a[5] != 0 ? x[2] : nil, mw = a[6] != 0 ? x[2 + a[5]] : nil
      g.withUnsafeBytes { p in
        if let p = p.baseAddress { ck_quad_conv(p.assumingMemoryBound(to: Int64.self), x[0], mx?.assumingMemoryBound(to: UInt8.self), x[1], mw?.assumingMemoryBound(to: UInt8.self), out) }
      }
      return nil
    default: return isLapack(s) ? matrix(s, types, type, a, x, out) : "\(row(s).name) has no wide form"
    }
  }

  /// Moves element numbers by the row's own kernel, then the elements.
  private func moved(_ s: Structural, _ types: [TensorType], _ type: TensorType, _ a: [Int], _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    var numbers: [UnsafeRawPointer] = [], total = 0
    for (i, k) in types.enumerated() {
      guard k.dtype.isFloat else { numbers.append(x[i]); continue }
      guard let p = s == .sort ? narrowed(k, x[i]).map({ UnsafeMutableRawPointer(mutating: $0) }) : scratch.take(k.count * 8) else { return refused }
      if s != .sort { for j in 0 ..< k.count { p.storeBytes(of: Int64(total + j), toByteOffset: j * 8, as: Int64.self) } }
      total += k.count
      numbers.append(UnsafeRawPointer(p))
    }
    guard let places = scratch.take(type.count * 8), let whole = scratch.take(max(total, 1) * 16) else { return refused }
    let index = types.map { $0.dtype.isFloat ? $0.with(s == .sort ? .f64 : .i64) : $0 }
    if s == .sort {
      if let said = kernel(.argsort, index, type.with(.i64), a, numbers, places) { return said }
      let (outer, m, inner) = around(type.shape, axis: a[0]), p = places.assumingMemoryBound(to: Int64.self)
      for o in 0 ..< outer { for k in 0 ..< m { for i in 0 ..< inner { p[(o * m + k) * inner + i] = (Int64(o * m) + p[(o * m + k) * inner + i]) * Int64(inner) + Int64(i) } } }
    } else if s == .pad {
      // What is padded is no element: numbers from 1 on, 0 outside.
      let p = UnsafeMutableRawPointer(mutating: numbers[0]).assumingMemoryBound(to: Int64.self)
      for j in 0 ..< types[0].count { p[j] += 1 }
      if let said = kernel(s, index, type.with(.i64), a, numbers, places) { return said }
      let q = places.assumingMemoryBound(to: Int64.self)
      for j in 0 ..< type.count { q[j] -= 1 }
    } else if let said = kernel(s, index, type.with(.i64), a, numbers, places) {
      return said
    }
    var from: UnsafeRawPointer = x[0]
    if types.lazy.filter({ $0.dtype.isFloat }).count > 1 {
      var at = 0
      for (i, k) in types.enumerated() where k.dtype.isFloat {
        (whole + at * 16).copyMemory(from: x[i], byteCount: k.count * 16)
        at += k.count
      }
      from = UnsafeRawPointer(whole)
    }
    ck_quad_gather(places.assumingMemoryBound(to: Int64.self), from, out, type.count)
    return nil
  }

  func narrowed(_ t: TensorType, _ x: UnsafeRawPointer) -> UnsafeRawPointer? {
    if !t.dtype.isFloat { return x }
    guard let p = scratch.take(t.count * 8) else { return nil }
    ck_quad_to(x, p.assumingMemoryBound(to: Double.self), t.count)
    return UnsafeRawPointer(p)
  }

  private func indices(_ t: TensorType, _ x: UnsafeRawPointer) -> UnsafePointer<Int64>? {
    if t.dtype == .i64 { return x.assumingMemoryBound(to: Int64.self) }
    guard let p = scratch.take(t.count * 8) else { return nil }
    ck_cast_kernel(t.dtype.rawValue, DType.i64.rawValue)?(x, nil, nil, p, t.count)
    return UnsafePointer(p.assumingMemoryBound(to: Int64.self))
  }

  private func fold(_ op: Reduction, _ t: TensorType, _ axes: [Int], _ x: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) -> String? {
    let gone = axes.map { t.rank + $0 }, n = gone.reduce(1) { $0 &* t.shape[$1] }
    if gone.isEmpty { ck_quad_fold(Int32(op.rawValue), t.count, 1, 1, x, out); return nil }
    if gone[gone.count - 1] - gone[0] == gone.count - 1 {
      ck_quad_fold(Int32(op.rawValue), t.shape[..<gone[0]].reduce(1, &*), n, t.shape[(gone[gone.count - 1] + 1)...].reduce(1, &*), x, out)
      return nil
    }
    let order = t.shape.indices.filter { !gone.contains($0) } + gone
    guard let p = scratch.take(t.count * 16) else { return refused }
    if let said = moved(.transpose, [t], t.with(shape: order.map { t.shape[$0] }), order, [x], p) { return said }
    ck_quad_fold(Int32(op.rawValue), n == 0 ? 1 : t.count / n, n, 1, p, out)
    return nil
  }

  private func product(_ type: TensorType, _ types: [TensorType], _ a: [Int], _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let m = type.shape[type.rank - 2], n = type.shape[type.rank - 1], k = types[0].shape[types[0].rank - 1 - a[0]]
    let ma = a[2] != 0 ? x[2].assumingMemoryBound(to: UInt8.self) : nil, mb = a[3] != 0 ? x[a[2] != 0 ? 3 : 2].assumingMemoryBound(to: UInt8.self) : nil
    let stepA = types[0].rank > 2 ? m * k : 0, stepB = types[1].rank > 2 ? k * n : 0
    for i in 0 ..< type.shape.dropLast(2).reduce(1, &*) {
      ck_quad_matmul(a[0] != 0, a[1] != 0, m, n, k, x[0] + i * stepA * 16, x[1] + i * stepB * 16, out + i * m * n * 16, ma.map { $0 + i * stepA }, mb.map { $0 + i * stepB })
    }
    return nil
  }
}
