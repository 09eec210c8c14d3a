/// Cotangents of slices that lie side by side become one array: the transposes of the slices of a whole are pads, whose sum is a concat
/// of what was padded, and where the whole is covered nothing is structurally zero any more.
extension Tape {
  /// a + b, where b and parts of a are pads that meet; nil where none do.
  func joined(_ a: Masked, _ b: Masked) -> Masked? {
    guard let ma = a.mask, var mask = b.mask, structural(b.value) == .pad, structural(mask) == .pad, attrs(b.value) == attrs(mask) else { return nil }
    var values = addends(a.value, OpCode(.add)), masks = addends(ma, OpCode(.logical_or)), value = b.value, met = false
    search: while true {
      for i in values.indices {
        guard let v = meeting(values[i], value), let j = masks.firstIndex(where: { structural($0) == .pad && attrs($0) == attrs(values[i]) }), let m = meeting(masks[j], mask) else { continue }
        (value, mask, met) = (v, m, true)
        values.remove(at: i)
        masks.remove(at: j)
        if structural(value) == .pad { continue search }
        break search
      }
      break
    }
    if !met { return nil }
    for v in values { value = add(v, value) }
    if isUniform(mask, 1) { return Masked(value) }
    for m in masks { mask = or(m, mask) }
    return Masked(value, mask)
  }

  /// The terms of a sum, up to 16 of them.
  private func addends(_ n: NodeID, _ op: OpCode) -> [NodeID] {
    var list = [n], i = 0
    while i < list.count, list.count < 16 {
      if self.op(list[i]) == op {
        list.append(input(list[i], 1))
        list[i] = input(list[i], 0)
      } else {
        i += 1
      }
    }
    return list
  }

  /// pad(x) + pad(y) as the pad, if any is left, of x beside y.
  private func meeting(_ a: NodeID, _ b: NodeID) -> NodeID? {
    guard structural(a) == .pad, structural(b) == .pad, type(a) == type(b) else { return nil }
    var p = attrs(a)
    let q = attrs(b), x = input(a, 0), y = input(b, 0), differing = p.indices.filter { p.count == q.count && p[$0] != q[$0] }
    guard let first = differing.first, differing.allSatisfy({ $0 / 3 == first / 3 && $0 % 3 < 2 }) else { return nil }
    let low = first / 3 * 3, high = low + 1, axis = first / 3 - p.count / 3
    guard p[low + 2] == 0 else { return nil }
    func extent(_ n: NodeID) -> Int { shape(n)[shape(n).count + axis] }
    let parts: [NodeID]
    if p[low] + extent(x) == q[low] {
      parts = [x, y]
      p[high] = q[high]
    } else if q[low] + extent(y) == p[low] {
      parts = [y, x]
      p[low] = q[low]
    } else {
      return nil
    }
    let whole = parts.allSatisfy { isUniform($0, 1) } && dtype(x) == .bool ? ones(beside: parts, axis) : concat(flat(parts, axis), axis: axis)
    return p.allSatisfy { $0 == 0 } ? whole : apply(.pad, [whole], p)
  }

  private func ones(beside parts: [NodeID], _ axis: Int) -> NodeID {
    var s = shape(parts[0])
    s[s.count + axis] += shape(parts[1])[s.count + axis]
    return full(TensorType(.bool, s), 1)
  }

  /// The parts of parts: up to 64, so that many slices one after the other stay linear.
  private func flat(_ parts: [NodeID], _ axis: Int) -> [NodeID] {
    let all = parts.flatMap { structural($0) == .concat && attrs($0) == [axis] ? inputs($0) : [$0] }
    return all.count <= 64 ? all : parts
  }
}
