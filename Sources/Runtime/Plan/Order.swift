import CKernels
import Tape

/// Inputs and outputs of one stage.
typealias Stage = (inputs: [NodeID], outputs: [NodeID])

/// The nodes that a program needs, each after its operands: depth first from the outputs, by input slot. Everything that follows
/// is derived from this order, so that it does not depend on node numbers.
struct Order: ~Copyable {
  /// By node: its place in `nodes`, -1 where it is not needed.
  let position: Memory<Int32>
  var nodes: List<Int32>
  /// scan -> the scan whose members are read in its place.
  private(set) var replaced: [Int32: Int32]
  /// Where the members of a replaced scan stand.
  private(set) var members: [Int32: [Int]] = [:]

  /// A node whose operands from `slot` on are still to be seen. A leaf has none.
  private struct Frame: BitwiseCopyable {
    var node: Int32
    var slot: UInt16 = 0, arity: UInt16
  }
  private static let leaf: Int32 = -3, open: Int32 = -2, none: Int32 = -1

  static func make(_ tape: Tape, _ stages: [Stage]) throws(Failure) -> Order {
    let m = try Memory(tape.count, filling: Order.none)
    var order = Order(position: m)
    try order.build(tape, stages)
    return order
  }

  private mutating func build(_ tape: Tape, _ stages: [Stage]) throws(Failure) {
    _ = try walk(tape, stages)
    if tape.bodies.isEmpty { return }
    replaced = try candidates(tape, stages)
    if replaced.isEmpty { return }
    if try !walk(tape, stages) {
      // A longer scan that reads the shorter one's results: both run.
      replaced = [:]
      _ = try walk(tape, stages)
    }
    for (a, b) in replaced { position[Int(a)] = position[Int(b)] }
  }

  private init(position: Memory<Int32>) {
    self.position = position
    nodes = List()
    replaced = [:]
  }

  /// False when the replacements close a cycle.
  private mutating func walk(_ tape: Tape, _ stages: [Stage]) throws(Failure) -> Bool {
    let position = position.p
    for i in 0 ..< tape.count { position[i] = Order.none }
    for s in stages { for n in s.inputs { position[n.i] = Order.leaf } }
    nodes.clear()
    var stack = List<Frame>()
    let part = Structural.part.rawValue, substitutes = !replaced.isEmpty
    guard let records = tape.recordBase else { return true }
    let pool = tape.poolBase ?? UnsafePointer(position)   // nothing is read where there is no pool
    for s in stages {
      for o in s.outputs where position[o.i] == Order.none || position[o.i] == Order.leaf {
        try stack.add(Frame(node: o.index, arity: position[o.i] == Order.leaf ? 0 : records[o.i].arity))
        position[o.i] = Order.open
        while let top = stack.p.map({ $0 + (stack.count - 1) }), !stack.isEmpty {
          let f = top.pointee
          if f.slot == f.arity {
            position[Int(f.node)] = Int32(nodes.count)
            try nodes.add(f.node)
            _ = stack.pop()
            continue
          }
          top.pointee.slot += 1
          let r = records + Int(f.node)
          var x = f.arity > 3 ? pool[Int(r.pointee.a) + Int(f.slot)] : f.slot == 0 ? r.pointee.a : f.slot == 1 ? r.pointee.b : r.pointee.c
          if substitutes, r.pointee.op == part, let y = replaced[x] { x = y }
          let state = position[Int(x)]
          if state == Order.open { return false }
          if state != Order.none, state != Order.leaf { continue }
          position[Int(x)] = Order.open
          try stack.add(Frame(node: x, arity: state == Order.leaf ? 0 : records[Int(x)].arity))
        }
      }
    }
    return true
  }

  /// Scans all of whose members another computes, not in a later stage: a loop beside the one that its gradient extends, or its tangents.
  private mutating func candidates(_ tape: Tape, _ stages: [Stage]) throws(Failure) -> [Int32: Int32] {
    var found: [Int32: Int32] = [:]
    let loops = (0 ..< nodes.count).map { NodeID(nodes[$0]) }.filter { tape.structural($0) == .scan }
    members = [:]
    for a in loops {
      var compared = 0
      for b in loops where b != a && found[b.index] != a.index && compared < 16 && tape.mayContain(b, a) {
        compared += 1
        guard let m = tape.members(of: a, in: b) else { continue }
        found[a.index] = b.index
        members[a.index] = m
        break
      }
    }
    if found.isEmpty { return found }
    if stages.count > 1 {
      let stage = try Memory<UInt8>(nodes.count, filling: 0)
      for (k, s) in stages.enumerated().reversed() {
        for n in s.inputs where position[n.i] >= 0 { stage[Int(position[n.i])] = UInt8(k) }
      }
      var leaves = Set<NodeID>()
      for s in stages { leaves.formUnion(s.inputs) }
      for p in 0 ..< nodes.count where !leaves.contains(NodeID(nodes[p])) {
        let r = tape.record(NodeID(nodes[p]))
        for k in 0 ..< Int(r.arity) { stage[p] = max(stage[p], stage[Int(position[tape.input(of: r, k).i])]) }
      }
      found = found.filter { stage[Int(position[Int($0.key)])] == stage[Int(position[Int($0.value)])] }
    }
    // Chains end at their last link; a link that comes back to its start is none.
    var ends: [Int32: Int32] = [:], places: [Int32: [Int]] = [:]
    for a in found.keys.sorted() {
      var b = a, m = members[a] ?? [], steps = 0
      while let next = found[b], steps <= found.count {
        if steps > 0, let hop = members[b] { m = m.map { hop[$0] } }
        b = next
        steps += 1
      }
      if steps > found.count { found[a] = nil } else { (ends[a], places[a]) = (b, m) }
    }
    members = places
    return ends
  }
}
