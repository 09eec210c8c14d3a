import CKernels
import Tape

/// A virtual stack as a loop reads it: the loop that made it runs again from the states that are kept.
final class StackRun {
  let body: Instance
  private let plan: Refill
  private let operands: Table, ins: Table, outs: Table
  private let buffer: UnsafeMutableRawPointer, half: UnsafeMutableRawPointer
  private let positions: Memory<Int>
  private var schedule: Revolve
  /// Which state lies in a working half, and in which; -1: none.
  private var known = -1, place = 0
  /// No step ran since `begin`.
  private var fresh = true
  /// Steps that were run again since `begin`.
  private(set) var steps = 0

  /// `table`: operands, the kept states, the other halves, the body's arena, the body's inputs and outputs.
  init(_ r: Refill, _ p: Plan, _ table: Table, _ backend: Backend) throws(Failure) {
    let n = r.operands.count
    guard let buffer = table[n], let half = table[n + 1], let arena = table[n + 2] else { throw refused }
    plan = r
    self.buffer = buffer
    self.half = half
    operands = table
    ins = table + n + 3
    outs = ins + n
    positions = try Memory(r.slots, filling: 0)
    schedule = Revolve(positions.p, slots: r.slots, length: r.length)
    body = try Instance(p, arena: arena, backend)
  }

  /// Before the first state is asked for.
  func begin() {
    body.prepare()
    schedule = Revolve(positions.p, slots: plan.slots, length: plan.length)
    known = -1
    steps = 0
    fresh = true
    if plan.prefilled {
      schedule.descend()
      if positions[schedule.count - 1] < plan.length - 1 { (known, place) = (plan.length - 1, 0) }
    }
    for k in plan.carries + plan.xs ..< plan.operands.count { ins[k] = operands[k] }
  }

  /// The state before the reader's step number `step`, as its x's. False when a kernel failed.
  func state(_ step: Int, _ xs: Table) -> Bool {
    let t = plan.backwards ? plan.length - 1 - step : step
    var slot = 0
    if plan.backwards {
      loop: while known != t {
        switch schedule.next(t) {
        case .take(let s):
          slot = s
          break loop
        case .keep(let s, let n): if !advance(from: s, at: schedule.positions[s], n, to: s + 1) { return false }
        case .advance(let s, let n): if !advance(from: s, at: schedule.positions[s], n, to: -1) { return false }
        }
      }
    } else if t > 0, !advance(from: known == t - 1 ? -1 : 0, at: t - 1, 1, to: -1) {
      return false
    }
    let ready = known == t && t > 0
    for u in plan.uses { xs[u.x] = ready ? working(place, u.carry) : kept(slot, u.carry) }
    return true
  }

  @inline(__always) private func kept(_ slot: Int, _ c: Int) -> UnsafeMutableRawPointer? {
    slot == 0 ? operands[c] : buffer + (slot - 1) * plan.stateSize + plan.offsets[c]
  }
  /// Backwards, one working half is the state that the loop left before its last step.
  @inline(__always) private func working(_ half: Int, _ c: Int) -> UnsafeMutableRawPointer {
    (plan.backwards ? half == 0 ? buffer + (plan.slots - 1) * plan.stateSize : self.half : self.half + half * plan.stateSize) + plan.offsets[c]
  }

  /// From a slot (-1: the working half) at position `at`, `n` steps on, into a slot or a working half.
  private func advance(from: Int, at: Int, _ n: Int, to: Int) -> Bool {
    let C = plan.carries, X = plan.xs
    for c in 0 ..< C { ins[c] = from >= 0 ? kept(from, c) : working(place, c) }
    let first = plan.reverse ? plan.length - 1 - at : at
    for k in C ..< C + X { ins[k] = operands[k].map { $0 + first * plan.bytes[k] } }
    let i = UnsafeRawPointer(ins).assumingMemoryBound(to: UnsafeRawPointer?.self)
    for step in 0 ..< n {
      if step + 1 < n || to < 0 { place = 1 - place }
      for c in 0 ..< C { outs[c] = step + 1 == n && to >= 0 ? kept(to, c) : working(place, c) }
      if !body.execute(0, i, UnsafePointer(outs), again: !fresh) { return false }
      fresh = false
      for c in 0 ..< C { ins[c] = outs[c] }
      for k in C ..< C + X { ins[k] = ins[k].map { plan.reverse ? $0 - plan.bytes[k] : $0 + plan.bytes[k] } }
    }
    steps += n
    known = to < 0 ? at + n : -1
    return true
  }
}
