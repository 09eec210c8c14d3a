import CKernels
import Tape

/// What a row's kernel that runs along inner axes does to each of `outer` parts of its operand.
struct Fold: BitwiseCopyable {
  enum Way: UInt8 { case reduce, softmax }
  var way: Way
  var op: UInt32 = 0
  var outer: Int, n: Int, inner: Int

  /// The reductions and softmaxes that run in row clusters.
  init?(_ g: Graph, _ p: Int) {
    guard g.items[p].kind == .kernel || g.items[p].folds, let s = Structural(rawValue: g.record(p).op) else { return nil }
    let reduction: Reduction? = switch s {
    case .sum: .sum
    case .prod: .prod
    case .max: .max
    case .min: .min
    case .logsumexp: .logsumexp
    case .norm: .norm
    default: nil
    }
    guard reduction != nil || s == .softmax else { return nil }
    let n = NodeID(g.items[p].node), shape = g.tape.shape(NodeID(g.items[g.operand(g.record(p), 0)].node)), a = g.tape.attrs(n)
    guard let first = a.first, let last = a.last, last - first == a.count - 1 else { return nil }
    way = reduction == nil ? .softmax : .reduce
    op = reduction?.rawValue ?? 0
    let from = shape.count + first, to = shape.count + last
    outer = shape[..<from].reduce(1, &*)
    self.n = shape[from ... to].reduce(1, &*)
    inner = shape[(to + 1)...].reduce(1, &*)
  }
}

/// Groups of nodes that can run row by row: elementwise ones, reductions along inner axes, and what is stretched along such axes again.
/// All elements of a group's arrays belong to one of `rows` rows, in order, and no row reads another.
extension Graph {
  /// Elements of a row at most: what the second-level cache holds of a few registers. And of a reduction's operand at least.
  private static let widest = 4096, least = 2048

  func formGroups() throws(Failure) {
    var any = false
    for p in 0 ..< count where items[p].kind == .kernel && !any { any = mayFold(p) != nil }
    if !any { return }
    let group = try Memory<Int32>(count, filling: -1), rows = try Memory(count, filling: 0), most = try Memory(count, filling: 0)
    let folds = try Memory(count, filling: false)
    func find(_ p: Int) -> Int {
      var q = p
      while group[q] != Int32(q) {
        group[q] = group[Int(group[q])]
        q = Int(group[q])
      }
      return q
    }
    func join(_ p: Int, _ q: Int) {
      let a = min(find(p), find(q)), b = max(find(p), find(q))
      if a == b { return }
      let r = gcd(rows[a], rows[b]), m = max(most[a], most[b])
      if r < 2 || m / r > Graph.widest { return }
      group[b] = Int32(a)
      rows[a] = r
      most[a] = m
      folds[a] = folds[a] || folds[b]
    }
    for p in 0 ..< count {
      let fold = mayFold(p), copy = mayCopy(p)
      guard items[p].kind == .block && !items[p].weaves && span(p) > 1 || fold != nil || copy else { continue }
      let r = record(p)
      var half = size(dtype(p)) == 2
      for k in 0 ..< Int(r.arity) { half = half || size(dtype(operand(r, k))) == 2 }
      if half { continue }
      group[p] = Int32(p)
      rows[p] = fold?.outer ?? elements(p)
      most[p] = fold == nil ? elements(p) : elements(operand(r, 0))
      folds[p] = fold != nil
      for k in 0 ..< Int(r.arity) {
        let o = operand(r, k), q = Int(items[o].root)
        if group[q] >= 0, items[p].stage == items[q].stage, isFull(o), !copy { join(p, q) }
      }
    }
    for p in 0 ..< count where group[p] >= 0 && (items[p].kind == .block || mayCopy(p)) {
      let r = record(p)
      for k in 0 ..< Int(r.arity) {
        let o = operand(r, k), q = Int(items[o].root), rep = items[p].kind == .block ? Int(items[o].rep) : spreading(p, o)
        guard rep > 1, group[q] >= 0, elements(o) == rep * elements(q), items[p].stage == items[q].stage, folds[find(p)] || folds[find(q)] else { continue }
        join(p, q)
      }
    }
    // A reduction on its own stays one; groups without any are clusters of the plain kind.
    let members = try Memory<Int32>(count, filling: 0)
    for p in 0 ..< count where group[p] >= 0 { members[find(p)] += 1 }
    for p in 0 ..< count where group[p] >= 0 && folds[find(p)] && members[find(p)] > 1 && items[p].kind == .kernel {
      if mayFold(p) != nil {
        items[p].kind = .block
        items[p].folds = true
      } else if group[Int(items[operand(record(p), 0)].root)] >= 0, find(p) == find(Int(items[operand(record(p), 0)].root)) {
        items[p].kind = .block
        items[p].copies = true
      }
    }
    for p in (0 ..< count).reversed() where group[p] >= 0 { group[p] = Int32(folds[find(p)] ? find(p) : p) }
    for p in 0 ..< count where group[p] >= 0 && !(folds[Int(group[p])] && members[Int(group[p])] > 1 && items[p].kind == .block) { group[p] = -1 }
    groups = group
    groupRows = rows
  }

  private func mayCopy(_ p: Int) -> Bool {
    guard items[p].kind == .kernel, record(p).op == Structural.broadcast.rawValue else { return false }
    let o = operand(record(p), 0), rep = spreading(p, o)
    return rep > 1 && elements(p) == rep * elements(Int(items[o].root)) && elements(Int(items[o].root)) > 1
  }

  private func mayFold(_ p: Int) -> Fold? {
    guard items[p].kind == .kernel, record(p).op >= 1024, let f = Fold(self, p), f.outer > 1, f.n > 0, f.n * f.inner <= Graph.widest,
          f.outer * f.n * f.inner >= Graph.least, f.inner > 0 else { return nil }
    return f
  }
}

func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a : gcd(b, a % b) }
