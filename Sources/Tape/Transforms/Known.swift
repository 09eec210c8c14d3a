import CKernels
import Glibc

/// Small arrays that are known when a tape is simplified: masks and seeds of Jacobians above all.
extension Tape {
  /// Larger results stay with the operators that make them.
  private static let most = 1024

  /// The result of an operator on known operands, as a constant; nil where one is not known, or the operator is none of those that
  /// compute element by element or move elements.
  func evaluated(_ op: OpCode, _ n: NodeID, _ x: [NodeID]) -> NodeID? {
    let t = type(n)
    guard t.count > 0, t.count <= Tape.most, !t.dtype.isHalf, !x.isEmpty, x.count <= 16, uniformConstant(n) == nil, x.allSatisfy(isKnown) else { return nil }
    switch op.structural {
    case nil, .transpose, .slice, .pad, .concat, .roll, .reshape, .broadcast, .cast: break
    default: return nil
    }
    var operands: [UnsafeMutableRawPointer] = []
    defer { operands.forEach { ck_free($0) } }
    for o in x {
      guard let p = contents(o) else { return nil }
      operands.append(p)
    }
    guard let out = ck_alloc(t.bytes) else { return nil }
    operands.append(out)
    if op.isElementwise {
      let d = op.elementwiseDType(dtype(x[0]), x.count > 1 ? dtype(x[1]) : nil)
      guard let kernel = ck_row_kernel(Int32(op.raw), d.rawValue) else { return nil }
      kernel(operands[0], x.count > 1 ? operands[1] : nil, x.count > 2 ? operands[2] : nil, out, t.count)
    } else if let s = op.structural {
      let types = x.map { type($0) }, a = attrs(n), r = row(s)
      guard r.scratch(types, a, t) == 0 else { return nil }
      var table = operands.map { UnsafeRawPointer($0) as UnsafeRawPointer? } + [nil]
      let said = table.withUnsafeMutableBytes { p in
        p.baseAddress.map { r.kernel(Call(x: UnsafePointer($0.assumingMemoryBound(to: UnsafeRawPointer.self)), types: types, type: t, attrs: a, geometry: r.geometry(types, a, t))) }
      }
      guard let said, said == nil else { return nil }
    }
    let size = t.dtype.size
    for i in 1 ..< t.count where memcmp(out, out + i * size, size) != 0 { return array(t, out) }
    return splat(array(TensorType(t.dtype, []), out), t.shape)
  }

  private func isKnown(_ n: NodeID) -> Bool {
    let t = type(n)
    guard t.count > 0, t.count <= Tape.most, !t.dtype.isHalf else { return false }
    return structural(n) == .array || structural(n) == .iota || uniformConstant(n) != nil
  }

  /// What a known node holds, in memory of its own.
  private func contents(_ n: NodeID) -> UnsafeMutableRawPointer? {
    let t = type(n)
    guard let p = ck_alloc(t.bytes) else { return nil }
    if let c = uniformConstant(n) {
      var slot = stored(c)
      ck_fill(t.dtype.size, &slot, p, t.count)
    } else if structural(n) == .array {
      p.copyMemory(from: arrays[Int(record(n).a)].data, byteCount: t.bytes)
    } else {
      let (outer, m, inner) = around(t.shape, axis: attrs(n)[0])
      ck_iota(t.dtype.rawValue, p, outer, m, inner)
    }
    return p
  }
}
