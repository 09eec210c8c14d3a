import CKernels
import Tape

/// Where the parts of joined arrays are made: in the joined array itself. A part that a step of the same stage makes, and that has no other place, is
/// written there by its own step; a single number is stored there beside whatever else becomes of it, and one that is known or lies in a host's input
/// by the last scalar step that stores others. What is left the joining step copies; with nothing left there is no such step.
final class Places {
  /// A number for an element of a joined array, stored by the scalar step whose list it is in.
  struct Store: BitwiseCopyable {
    var source: Int32, target: Int32
    var offset: Int
    var next: Int32
  }
  /// A part that the joining step copies: operand, bytes before it, bytes.
  struct Rest { var slot: Int, offset: Int, bytes: Int }

  private(set) var stores = List<Store>()
  /// By step of a joined array; others have none.
  private(set) var rest: [Int32: [Rest]] = [:]
  private var heads: Memory<Int32>?, place: Memory<Int32>?
  private var windows = List<Window>()

  init(_ g: Graph, _ c: borrowing Clusters) throws(Failure) {
    let concat = Structural.concat.rawValue
    var isOutput: Set<Int32> = []
    for t in (0 ..< c.schedule.count).reversed() {
      let s = c.schedule[t], info = c.steps[Int(s)]
      if info.kind != .kernel { continue }
      let p = Int(c.members[Int(info.start)]), r = g.record(p)
      guard r.op == concat, g.elements(p) > 0 else { continue }
      let shape = g.tape.shape(NodeID(g.items[p].node)), axis = shape.count + g.tape.attrs(NodeID(g.items[p].node))[0]
      guard shape[..<axis].allSatisfy({ $0 == 1 }) else { continue }
      if heads == nil {
        heads = try Memory(c.steps.count, filling: -1)
        place = try Memory(g.count, filling: -1)
        for stage in g.stages { for o in stage.outputs { isOutput.insert(g.items[Int(g.position[o.i])].root) } }
      }
      try join(g, c, p, r, s, isOutput)
    }
  }

  /// The first store of a step, -1: none.
  func first(_ step: Int) -> Int { heads.map { Int($0[step]) } ?? -1 }
  /// Where in another array an item is made.
  func place(_ q: Int) -> Window? {
    guard let place, place[q] >= 0 else { return nil }
    return windows[Int(place[q])]
  }

  private func join(_ g: Graph, _ c: borrowing Clusters, _ p: Int, _ r: Record, _ s: Int32, _ isOutput: Set<Int32>) throws(Failure) {
    guard let heads, let place else { return }
    let items = g.items, stage = items[p].stage, size = Int(size(g.dtype(p)))
    // The scalar step that stores what no step makes: the last of those that store a part.
    var scalar: Int32 = -1
    for k in 0 ..< Int(r.arity) {
      let q = Int(items[g.operand(r, k)].root)
      if items[q].kind == .scalar, items[q].stage == stage, scalar < 0 || c.steps[Int(items[q].step)].time > c.steps[Int(scalar)].time { scalar = items[q].step }
    }
    var end = g.elements(p), left: [Rest] = []
    for k in (0 ..< Int(r.arity)).reversed() {
      let o = g.operand(r, k), q = Int(items[o].root), n = g.elements(o)
      end -= n
      if n == 0 { continue }
      let kind = items[q].kind, own = kind == .scalar && items[q].stage == stage
      let foreign = scalar >= 0 && n == 1 && (g.isNumber(q) || items[g.home(q)].kind == .host)
      if own || foreign {
        let step = Int(own ? items[q].step : scalar)
        try stores.add(Store(source: Int32(q), target: Int32(p), offset: end, next: heads[step]))
        heads[step] = Int32(stores.count - 1)
      } else if kind == .block || kind == .kernel, items[q].stage == stage, g.elements(q) == n, g.isFull(o), place[q] < 0, !isOutput.contains(Int32(q)) {
        place[q] = Int32(windows.count)
        try windows.add(Window(of: Int32(p), offset: end))
      } else {
        left.append(Rest(slot: k, offset: end * size, bytes: n * size))
      }
    }
    rest[s] = left.reversed()
  }
}
