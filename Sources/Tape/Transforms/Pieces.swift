/// Cotangents of slices. Those that do not overlap are joined: zeros round each, to be added, would cost an array a slice.
extension Tape {
  struct Piece {
    let slice: NodeID
    let axis: Int, start: Int, end: Int
    let ct: Masked
  }

  /// The one axis, from the end, that a slice cuts, by steps of 1; nil where it is another kind of slice.
  func oneCut(_ n: NodeID) -> (axis: Int, start: Int, count: Int)? {
    let a = attrs(n), k = a.count / 3, x = shape(input(n, 0)).suffix(k)
    var found: (axis: Int, start: Int, count: Int)?
    for (i, extent) in x.enumerated() where a[3 * i] != 0 || a[3 * i + 1] != extent || a[3 * i + 2] != 1 {
      if found != nil || a[3 * i + 2] != 1 && a[3 * i + 1] != 1 || a[3 * i + 1] == 0 { return nil }
      found = (i - k, a[3 * i], a[3 * i + 1])
    }
    return found
  }

  /// Their sum, of x's shape.
  func together(_ pieces: [Piece], like x: NodeID) -> Masked? {
    // Each to the first row of its axis where it overlaps none.
    var rows: [[Piece]] = [], apart: [Piece] = []
    for p in pieces.enumerated().sorted(by: { ($0.element.axis, $0.element.start, $0.offset) < ($1.element.axis, $1.element.start, $1.offset) }).map(\.element) {
      if let k = rows.firstIndex(where: { $0[0].axis == p.axis && $0[$0.count - 1].end <= p.start }) { rows[k].append(p) } else if rows.count < 16 { rows.append([p]) } else { apart.append(p) }
    }
    apart += rows.filter { $0.count == 1 }.flatMap { $0 }
    var total: Masked?
    for row in rows where row.count > 1 { total = plus(total, concatenated(row, like: x)) }
    for p in apart {
      guard case .linear(let transpose) = row(.slice).derivative else { continue }
      total = plus(total, Masked(transpose(self, p.slice, p.ct.value, 0), transpose(self, p.slice, p.ct.mask ?? ones(mask: p.slice), 0)))
    }
    return total
  }

  /// Pieces along one axis, in order: structural zeros between them.
  private func concatenated(_ row: [Piece], like x: NodeID) -> Masked {
    let axis = row[0].axis, s = shape(x), n = s[s.count + axis]
    var values: [NodeID] = [], masks: [NodeID] = [], done = 0, whole = true
    func gap(_ end: Int) {
      if end <= done { return }
      var t = s
      t[s.count + axis] = end - done
      values.append(full(TensorType(dtype(x), t), 0))
      masks.append(full(TensorType(.bool, t), 0))
      whole = false
    }
    for p in row {
      gap(p.start)
      values.append(p.ct.value)
      masks.append(p.ct.mask ?? ones(mask: p.slice))
      whole = whole && p.ct.mask == nil
      done = p.end
    }
    gap(n)
    return Masked(chained(values, axis: axis), whole ? nil : chained(masks, axis: axis))
  }
}
