/// The optimal binomial schedule (Griewank & Walther 2000, "Algorithm 799: revolve"): the states before each of `length` steps, the last first, from
/// `slots` kept ones, of which the first state is one. All numbers are worked out as they are needed; the places stand in memory that the caller gives.
struct Revolve {
  /// Positions of the states that are kept now, ascending, the first 0.
  let positions: UnsafeMutablePointer<Int>
  let slots: Int, length: Int
  private(set) var count = 1

  init(_ positions: UnsafeMutablePointer<Int>, slots: Int, length: Int) {
    self.positions = positions
    self.slots = slots
    self.length = length
    positions[0] = 0
  }

  /// What to do next on the way to state `t`, which lies not before the last one kept.
  enum Move: Equatable {
    /// The state is in this slot.
    case take(slot: Int)
    /// Step on from this slot to that state and keep it in the next slot.
    case keep(slot: Int, steps: Int)
    /// Step on from this slot to the state.
    case advance(slot: Int, steps: Int)
  }

  mutating func next(_ t: Int) -> Move {
    while count > 1, positions[count - 1] > t { count -= 1 }
    let top = count - 1, at = positions[top]
    if at == t { return .take(slot: top) }
    if slots - top <= 1 { return .advance(slot: top, steps: t - at) }
    let k = Revolve.split(t + 1 - at, slots: slots - top)
    positions[count] = at + k
    count += 1
    return .keep(slot: top, steps: k)
  }

  /// The states that the first descent keeps, when whoever runs the loop keeps them in passing. The one before the last step is then known too.
  mutating func descend() {
    while case .keep = next(length - 1) {}
  }

  /// beta(s, r) = C(s + r, s): the steps that s slots reverse with r runs over each; `Int.max` where that is no number.
  static func beta(_ s: Int, _ r: Int) -> Int {
    if r < 0 { return 0 }
    var b = 1
    for i in 0 ..< min(s, r) {
      let (high, low) = b.multipliedFullWidth(by: s &+ r &- i)
      if high != 0 || low > UInt(Int.max) { return Int.max }
      b = Int(low) / (i + 1)
    }
    return b
  }

  /// How often a step is run at most, beside the one that is reversed.
  static func runs(_ l: Int, slots s: Int) -> Int {
    if s == 1 { return max(l - 1, 0) }
    var r = 0
    while beta(s, r) < l { r += 1 }
    return r
  }

  /// Steps from the first state of l to the next that is kept.
  static func split(_ l: Int, slots s: Int) -> Int {
    let r = runs(l, slots: s)
    return min(max(beta(s, r - 2), l - beta(s - 1, r), 1), l - 1)
  }

  /// The steps that are run to have every state, beside those that are reversed: r l - C(s + r, s + 1).
  static func extra(_ l: Int, slots s: Int) -> Int {
    if l <= 1 { return 0 }
    let r = runs(l, slots: s)
    return r * l - beta(s + 1, r - 1)
  }
}
