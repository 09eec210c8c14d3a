import CKernels
import Tape

/// A random program as a recipe: each line names earlier lines, so that it can be recorded in any order that respects them.
struct Recipe {
  enum Kind: CaseIterable {
    case sin, tanh, sigmoid, softplus, atan, erf, square, hypotOne
    case add, sub, mul, quotient, maximum, atan2, pick
    case sum, mean, max, logsumexp, norm, softmax, cumsum
    case matmul, transpose, reshape, slice, concat, pad, broadcast, gather
  }
  struct Line {
    var kind: Kind?          // nil: an input
    var from: [Int] = []
    var shape: [Int]
    var numbers: [Int] = []
  }
  var lines: [Line] = []
  var inputs: [Int] { lines.indices.filter { lines[$0].kind == nil } }
  var isElementwise: Bool { lines.allSatisfy { l in l.kind.map { Recipe.elementwise.contains($0) } ?? true } }
  private static let elementwise: Set<Kind> = [.sin, .tanh, .sigmoid, .softplus, .atan, .erf, .square, .hypotOne, .add, .sub, .mul, .quotient, .maximum, .atan2, .pick]
  private static let unaries: [Kind: Unary] = [.sin: .sin, .tanh: .tanh, .sigmoid: .sigmoid, .softplus: .softplus, .atan: .atan, .erf: .erf, .square: .square]

  init(_ g: inout Random, elementwise: Bool) {
    let first = elementwise ? [4] : [[4], [2, 3], [3, 3], [2, 2, 3]][g.below(4)]
    lines = [Line(shape: first), Line(shape: first)]
    if !elementwise { lines.append(Line(shape: [3, 2])) }
    let kinds = elementwise ? Kind.allCases.filter(Recipe.elementwise.contains) : Kind.allCases, goal = lines.count + 4 + g.below(8)
    while lines.count < goal { if let l = line(kinds[g.below(kinds.count)], &g) { lines.append(l) } }
  }

  private func line(_ k: Kind, _ g: inout Random) -> Line? {
    let i = g.below(lines.count), s = lines[i].shape, axis = s.isEmpty ? 0 : g.below(s.count)
    let peers = lines.indices.filter { lines[$0].shape == s }
    func without(_ a: Int) -> [Int] { s.indices.filter { $0 != a }.map { s[$0] } }
    func with(_ a: Int, _ n: Int) -> [Int] { s.indices.map { $0 == a ? n : s[$0] } }
    switch k {
    case .sin, .tanh, .sigmoid, .softplus, .atan, .erf, .square, .hypotOne: return Line(kind: k, from: [i], shape: s)
    case .add, .sub, .mul, .quotient, .maximum, .atan2, .pick: return Line(kind: k, from: [i, peers[g.below(peers.count)]], shape: s)
    case .sum, .mean, .max, .logsumexp, .norm: return s.isEmpty ? nil : Line(kind: k, from: [i], shape: without(axis), numbers: [axis - s.count])
    case .softmax: return s.isEmpty || s[axis] < 2 ? nil : Line(kind: k, from: [i], shape: s, numbers: [axis - s.count])
    case .cumsum: return s.isEmpty ? nil : Line(kind: k, from: [i], shape: s, numbers: [axis - s.count, g.below(2)])
    case .matmul:
      guard s.count >= 2 else { return nil }
      let fits = lines.indices.filter { lines[$0].shape.count >= 2 && lines[$0].shape[lines[$0].shape.count - 2] == s[s.count - 1] && (lines[$0].shape.count == 2 || s.count == 2 || lines[$0].shape.dropLast(2) == s.dropLast(2)) }
      guard let j = fits.isEmpty ? nil : fits[g.below(fits.count)] else { return nil }
      let r = lines[j].shape, lead = s.count > 2 ? s.dropLast(2) : r.dropLast(2)
      return Line(kind: k, from: [i, j], shape: lead + [s[s.count - 2], r[r.count - 1]])
    case .transpose: return s.count < 2 ? nil : Line(kind: k, from: [i], shape: s.dropLast(2) + [s[s.count - 1], s[s.count - 2]])
    case .reshape: return Line(kind: k, from: [i], shape: [s.reduce(1, *)])
    case .slice:
      guard !s.isEmpty, s[axis] > 1 else { return nil }
      let back = g.below(2) == 1
      return Line(kind: k, from: [i], shape: with(axis, s[axis] - 1), numbers: [axis - s.count, back ? s[axis] - 1 : 1, s[axis] - 1, back ? -1 : 1])
    case .concat: return s.isEmpty || s[axis] > 6 ? nil : Line(kind: k, from: [i, peers[g.below(peers.count)]], shape: with(axis, 2 * s[axis]), numbers: [axis - s.count])
    case .pad: return s.isEmpty || s[axis] > 6 ? nil : Line(kind: k, from: [i], shape: with(axis, s[axis] + 2), numbers: [axis])
    case .broadcast: return s.count > 2 ? nil : Line(kind: k, from: [i], shape: [2] + s)
    case .gather: return s.isEmpty ? nil : Line(kind: k, from: [i], shape: with(axis, 3), numbers: [axis - s.count] + (0 ..< 3).map { _ in g.below(2 * s[axis]) - s[axis] })
    }
  }

  /// Recorded with the lines in this order; every result in bounds, so that all stays finite.
  func record(_ t: Tape, order: [Int]) -> (inputs: [NodeID], loss: NodeID, values: [NodeID]) {
    var made = [NodeID](repeating: .none, count: lines.count)
    for k in order {
      let l = lines[k], x = l.from.map { made[$0] }
      guard let kind = l.kind else { made[k] = t.input(TensorType(.f64, l.shape)); continue }
      made[k] = apply(t, kind, l, x)
    }
    // Every line that no other uses counts, with weights that keep softmax and the like from summing to constants.
    let used = Set(lines.flatMap(\.from)), ends = lines.indices.filter { !used.contains($0) }
    var loss = t.constant(.f64, 0)
    for e in ends {
      let y = made[e], w = t.unary(.cos, t.reshape(t.iota(TensorType(.f64, [t.type(y).count]), axis: -1), t.shape(y)))
      loss = t.add(loss, t.total(t.mul(y, w)))
    }
    return (inputs.map { made[$0] }, loss, ends.map { made[$0] })
  }

  private func apply(_ t: Tape, _ k: Kind, _ l: Line, _ x: [NodeID]) -> NodeID {
    let a = l.numbers
    if let u = Recipe.unaries[k] {
      // Squares grow: bounded again.
      return u == .square ? t.unary(.tanh, t.unary(.square, x[0])) : t.unary(u, x[0])
    }
    switch k {
    case .hypotOne: return t.unary(.log, t.binary(.hypot, x[0], t.like(x[0], 2)))
    case .add: return t.scale(t.add(x[0], x[1]), 0.5)
    case .sub: return t.sub(x[0], t.scale(x[1], 0.5))
    case .mul: return t.mul(t.unary(.sin, x[0]), x[1])
    case .quotient: return t.div(x[0], t.add(t.unary(.square, x[1]), t.like(x[1], 1.25)))
    case .maximum: return t.binary(.maximum, x[0], t.scale(x[1], 0.5))
    case .atan2: return t.binary(.atan2, x[0], t.add(t.unary(.softplus, x[1]), t.like(x[1], 0.5)))
    case .pick: return t.select(t.binary(.gt, x[0], t.like(x[0], 0.1)), x[0], x[1])
    case .sum: return t.unary(.atan, t.sum(x[0], axes: a, keep: false))
    case .mean: return t.mean(x[0], axes: a, keep: false)
    case .max: return t.reduce(.max, x[0], axes: a, keep: false)
    case .logsumexp: return t.reduce(.logsumexp, x[0], axes: a, keep: false)
    case .norm: return t.unary(.tanh, t.reduce(.norm, x[0], axes: a, keep: false))
    case .softmax: return t.apply(.softmax, [x[0]], a)
    case .cumsum: return t.unary(.tanh, t.apply(.cumsum, [x[0]], a))
    case .matmul: return t.unary(.tanh, t.matmul(x[0], x[1]))
    case .transpose: return t.matrixTranspose(x[0])
    case .reshape: return t.reshape(x[0], l.shape)
    case .slice: return t.slice(x[0], axis: a[0], start: a[1], count: a[2], step: a[3])
    case .concat: return t.concat(x, axis: a[0])
    case .pad: return t.apply(.pad, [x[0]], l.shape.indices.flatMap { $0 == a[0] ? [1, 1, 0] : [0, 0, 0] })
    case .broadcast: return t.broadcast(x[0], to: l.shape)
    case .gather: return t.gather(x[0], t.indices(a.dropFirst().map(Int64.init)), axis: a[0])
    default: return .none
    }
  }

  /// Another order of statements: any line whose operands stand is next, by lot.
  func shuffled(_ g: inout Random) -> [Int] {
    var done = Set<Int>(), order: [Int] = []
    while order.count < lines.count {
      let ready = lines.indices.filter { k in !done.contains(k) && lines[k].from.allSatisfy(done.contains) }
      let k = ready[g.below(ready.count)]
      done.insert(k)
      order.append(k)
    }
    return order
  }
}
