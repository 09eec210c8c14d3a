import CKernels
import Tape

/// A loop whose stacked carries are not stored: the loops that read them compute them again from as many as there are slots.
struct Stack {
  /// By member: which carry it stacks.
  var carries: [Int: Int] = [:]
  let slots: Int, length: Int
  /// The carries that a later one of those depends on, and a body that computes them alone from inputs of these numbers.
  var state: [Int] = [], body: Body, inputs: [Int] = []
  /// The scans that read it, by position.
  var readers: [Int] = []
}

/// Which stacks are virtual. A member of a loop with slots is where it is a carry as each step finds it, and is read by loops of the same length alone,
/// step by step; not of a loop that reads such stacks itself.
extension Graph {
  func findStacks(slots given: Int?) throws(Failure) {
    var loops: [Int: ScanShape] = [:]
    for p in 0 ..< count where items[p].kind == .scan && record(p).op == Structural.scan.rawValue {
      let s = tape.scanShape(NodeID(items[p].node)), n = given ?? s.slots
      if n > 0, n < s.length { loops[p] = s }
    }
    if loops.isEmpty { return }
    // By loop and member, who reads it step by step; nil where something else does.
    var readers: [Int: [Int: [Int]?]] = [:]
    func spoil(_ o: Int) {
      let h = home(Int(items[o].root))
      if items[h].kind == .part { readers[operand(record(h), 0), default: [:]][member(h, operand(record(h), 0))] = .some(nil) }
    }
    for p in 0 ..< count where items[p].kind != .part && items[p].kind != .view && items[p].kind != .piece && items[p].kind != .host {
      let r = record(p), scan = record(p).op == Structural.scan.rawValue && items[p].kind == .scan ? tape.scanShape(NodeID(items[p].node)) : nil
      if items[p].kind == .constant || items[p].kind == .array { continue }
      for k in 0 ..< Int(r.arity) {
        let o = operand(r, k)
        guard items[home(Int(items[o].root))].kind == .part else { continue }
        guard let scan, let (e, m) = shown(o), k >= scan.carries, k < scan.carries + scan.xs else { spoil(o); continue }
        guard loops[e]?.length == scan.length, e != p else { spoil(o); continue }
        if let known = readers[e]?[m] {
          if let known { readers[e]?[m] = known.contains(p) ? known : known + [p] }
        } else {
          readers[e, default: [:]][m] = [p]
        }
      }
    }
    for s in stages { for o in s.outputs { spoil(Int(position[o.i])) } }
    for p in loops.keys.sorted() {
      guard let s = loops[p] else { continue }
      let r = record(p), b = s.body
      let reads = (s.carries ..< s.carries + s.xs).contains { k in
        guard let (e, m) = shown(operand(r, k)) else { return false }
        return stacks[e]?.carries[m] != nil
      }
      if reads { continue }
      var found: [Int: Int] = [:], by = Set<Int>()
      for m in s.carries ..< s.carries + s.ys {
        guard case .some(.some(let list)) = readers[p]?[m], let c = b.inputs[..<s.carries].firstIndex(of: b.outputs[m]) else { continue }
        found[m] = c
        by.formUnion(list)
      }
      if found.isEmpty { continue }
      var read = [Bool](repeating: false, count: s.carries + s.ys)
      for c in found.values { read[c] = true }
      let needed = tape.needed(NodeID(items[p].node), read), state = (0 ..< s.carries).filter { needed[$0] }
      let (body, inputs) = tape.bare(NodeID(items[p].node), needed: needed)
      if let f = body.tape.failure { throw f }
      stacks[p] = Stack(carries: found, slots: given ?? s.slots, length: s.length, state: state, body: body, inputs: inputs, readers: by.sorted())
      for q in by { sources[q, default: []].append(p) }
    }
  }

  /// The loop and the member that an operand shows as it is.
  func shown(_ o: Int) -> (scan: Int, member: Int)? {
    let q = Int(items[o].root)
    guard items[q].kind == .part, isFull(o), items[o].type == items[q].type else { return nil }
    let e = operand(record(q), 0)
    return (e, member(q, e))
  }

  /// Where among a loop's values the one stands that shows a member: behind the members are the kept carries.
  func place(ofMember m: Int, of scan: Int) -> Int {
    guard let s = stacks[scan], s.carries[m] != nil else { return m }
    return tape.memberCount(NodeID(items[scan].node))
  }

  /// Bytes of a state of a virtual stack, and of all that are kept: in each slot but the first, and the one before the last step.
  func stateBytes(_ scan: Int) -> [Int] {
    guard let s = stacks[scan] else { return [] }
    let types = tape.tupleMembers(NodeID(items[scan].node))
    return s.state.map { types[$0].bytes }
  }
}

/// Where the carries of a state lie, one behind the other, and its size.
func stateOffsets(_ bytes: [Int]) -> (offsets: [Int], size: Int) {
  var at = 0, offsets: [Int] = []
  for b in bytes {
    offsets.append(at)
    at = at &+ up(max(b, 1), b < 64 ? 8 : 64)
  }
  return (offsets, up(at, 64))
}
