/// Einstein summation as transposes, sums and batched products, two operands at a time from the left.
extension Tape {
  package func einsum(_ subscripts: String, _ operands: [NodeID]) -> NodeID {
    guard check("einsum", operands, "operand") else { return .none }
    func bad(_ why: String) -> NodeID { fail(.invalid, "einsum: \"\(subscripts)\": \(why)") }
    let text = subscripts.utf8.filter { $0 != 32 }
    var sides: [[UInt8]] = [[]], i = 0
    while i < text.count {
      if text[i] == 45, i + 1 < text.count, text[i + 1] == 62 { sides.append([]); i += 2; continue }
      sides[sides.count - 1].append(text[i])
      i += 1
    }
    guard sides.count <= 2 else { return bad("more than one ->") }
    let terms = sides[0].split(separator: 44, omittingEmptySubsequences: false).map(Array.init)
    guard terms.count == operands.count, !operands.isEmpty else { return bad("\(terms.count) operands are named, \(operands.count) given") }
    let letter = { (c: UInt8) in (c >= 65 && c <= 90) || (c >= 97 && c <= 122) }
    guard terms.allSatisfy({ $0.allSatisfy(letter) }), sides.dropFirst().allSatisfy({ $0.allSatisfy(letter) }) else { return bad("only letters, commas and -> are taken") }
    var extents: [UInt8: Int] = [:], counts: [UInt8: Int] = [:]
    var parts: [(labels: [UInt8], node: NodeID)] = []
    for (labels, x) in zip(terms, operands) {
      guard labels.count == shape(x).count else { return bad("\(String(decoding: labels, as: UTF8.self)) has \(labels.count) axes, the operand's shape is \(Tape_text(shape(x)))") }
      for (c, n) in zip(labels, shape(x)) {
        counts[c, default: 0] += 1
        guard extents[c, default: n] == n else { return bad("axis \(String(decoding: [c], as: UTF8.self)) is \(extents[c] ?? 0) long and \(n)") }
        extents[c] = n
      }
      parts.append(diagonal(labels, x))
    }
    let out = sides.count == 2 ? sides[1] : counts.filter { $0.value == 1 }.map(\.key).sorted()
    guard Set(out).count == out.count, out.allSatisfy({ extents[$0] != nil }) else { return bad("the result names an axis twice, or one that no operand has") }
    while parts.count > 1 {
      let keep = Set(out).union(parts.dropFirst(2).flatMap(\.labels))
      let y = contract(parts[0], parts[1], keep, extents)
      parts.replaceSubrange(0 ..< 2, with: [y])
      guard failure == nil else { return .none }
    }
    let (labels, x) = sumAway(parts[0], Set(out))
    guard contains(x) else { return .none }
    return transpose(x, out.map { labels.firstIndex(of: $0) ?? 0 })
  }

  /// A repeated letter in one operand: its diagonal.
  private func diagonal(_ labels: [UInt8], _ x: NodeID) -> (labels: [UInt8], node: NodeID) {
    var l = labels, y = x
    while let (i, j) = firstRepeat(l), contains(y) {
      // Axes i < j to the end, flattened: the diagonal is every (n + 1)th element.
      let n = shape(y)[i], rest = l.indices.filter { $0 != i && $0 != j }
      let moved = transpose(y, rest + [i, j])
      guard contains(moved) else { return (l, .none) }
      let flat = reshape(moved, rest.map { shape(y)[$0] } + [n * n])
      y = n == 0 ? reshape(flat, rest.map { shape(y)[$0] } + [0]) : slice(flat, axis: -1, start: 0, count: n, step: n + 1)
      l = rest.map { l[$0] } + [l[i]]
    }
    return (l, y)
  }
  private func firstRepeat(_ l: [UInt8]) -> (Int, Int)? {
    for i in l.indices { if let j = l[(i + 1)...].firstIndex(of: l[i]) { return (i, j) } }
    return nil
  }

  private func sumAway(_ p: (labels: [UInt8], node: NodeID), _ keep: Set<UInt8>) -> (labels: [UInt8], node: NodeID) {
    let gone = p.labels.indices.filter { !keep.contains(p.labels[$0]) }
    return gone.isEmpty ? p : (p.labels.filter { keep.contains($0) }, sum(p.node, axes: gone.map { $0 - p.labels.count }, keep: false))
  }

  /// Batch axes are in both and kept, contracted ones in both and gone.
  private func contract(_ a: (labels: [UInt8], node: NodeID), _ b: (labels: [UInt8], node: NodeID), _ keep: Set<UInt8>, _ n: [UInt8: Int]) -> (labels: [UInt8], node: NodeID) {
    let l = sumAway(a, keep.union(b.labels)), r = sumAway(b, keep.union(a.labels))
    let both = l.labels.filter { r.labels.contains($0) }
    let batch = both.filter(keep.contains), inner = both.filter { !keep.contains($0) }
    let rows = l.labels.filter { !both.contains($0) }, columns = r.labels.filter { !both.contains($0) }
    func size(_ x: [UInt8]) -> Int { x.reduce(1) { $0 &* (n[$1] ?? 1) } }
    func arranged(_ p: (labels: [UInt8], node: NodeID), _ order: [UInt8], _ s: [Int]) -> NodeID {
      reshape(transpose(p.node, order.map { c in p.labels.firstIndex(of: c) ?? 0 }), s)
    }
    let lead = batch.isEmpty ? [] : [size(batch)]
    let y = matmul(arranged(l, batch + rows + inner, lead + [size(rows), size(inner)]), arranged(r, batch + inner + columns, lead + [size(inner), size(columns)]))
    let labels = batch + rows + columns
    return (labels, reshape(y, labels.map { n[$0] ?? 1 }))
  }
}

private func Tape_text(_ s: [Int]) -> String { text(s) }
