import CKernels
import Machine
import Tape

/// A number in memory that scalar programs load or store.
struct Transfer: BitwiseCopyable {
  var value: Int32
  /// Bytes before it in the value.
  var shift = 0
}

/// One scalar step: ranges of the lists in `ScalarCode`.
struct ScalarRange: BitwiseCopyable {
  var code = 0, codeCount = 0
  /// Of the code: loads, which come first, and numbers stored, by as many instructions but for fills.
  var loads = 0, stores = 0, storing = 0
  /// The first slot that is no constant's nor a load's.
  var near: Int32 = 0
}

/// Clusters of single numbers as instructions over slots of 8 bytes. Slots 0 ..< constants.count hold the constants and are
/// never written; the others are shared by all steps and reused, last freed first. A step loads all that it reads before it stores anything, so
/// that outputs may lie over inputs.
struct ScalarCode: ~Copyable {
  var code = List<ck_instr>()
  var transfers = List<Transfer>()
  /// Instructions that are neither loads nor stores.
  private(set) var operations = 0
  var ranges = List<ScalarRange>()
  var constants = List<UInt64>()
  var slots = 0

  private var free = List<Int32>()
  private var top: Int32 = 0

  init(_ g: Graph, _ c: borrowing Clusters, _ values: borrowing Values) throws(Failure) {
    for i in 0 ..< values.scalarConstants.count {
      try constants.add(g.number(Int(values.scalarConstants[i])))
    }
    slots = constants.count
    var any = false
    for s in 0 ..< c.steps.count where c.steps[s].kind == .scalar { any = true }
    if !any { return }
    // By position: the slot, the time of the last reading (2 m of member m, 2 m + 1 of a store after it), the first store in a joined array (`same`: the
    // next; `partner`: the one beside it, which is stored with it). They hold for one step.
    let slot = try Memory<Int32>(g.count, filling: -1), last = try Memory<Int32>(g.count, filling: -1), head = try Memory<Int32>(g.count, filling: -1)
    let same = try Memory<Int32>(values.places.stores.count, filling: -1), partner = try Memory<Int32>(values.places.stores.count, filling: -1)
    for t in 0 ..< c.schedule.count where c.steps[Int(c.schedule[t])].kind == .scalar {
      try step(g, c, values, Int(c.schedule[t]), slot.p, last.p, head.p, same.p, partner.p)
    }
  }

  private mutating func take() throws(Failure) -> Int32 {
    if !free.isEmpty { return free.pop() }
    guard top < Int32.max else { throw refused }
    top += 1
    slots = max(slots, Int(top))
    return top - 1
  }

  /// Slots side by side, none of which was in use.
  private mutating func block(_ n: Int) throws(Failure) -> Int32 {
    guard Int(top) + n < Int(Int32.max) else { throw refused }
    top += Int32(n)
    slots = max(slots, Int(top))
    return top - Int32(n)
  }

  private mutating func emit(_ code: Int32, _ x: Int32, _ y: Int32, _ z: Int32, _ out: Int32) throws(Failure) {
    try self.code.add(ck_instr(code: UInt16(truncatingIfNeeded: code), pad: 0, x: x, y: y, z: z, out: out))
  }

  private mutating func step(_ g: Graph, _ c: borrowing Clusters, _ values: borrowing Values, _ s: Int,
                             _ slot: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>, _ head: UnsafeMutablePointer<Int32>,
                             _ same: UnsafeMutablePointer<Int32>, _ partner: UnsafeMutablePointer<Int32>) throws(Failure) {
    let info = c.steps[s], items = g.items, codes = Rows.codes, exact = Rows.exact, classes = Rows.classes
    var members = c.members.p + Int(info.start)
    let joined = try JoinedCalls.make(g, members, Int(info.count), place: last)
    if let joined { members = joined.members.p }
    defer { withExtendedLifetime(joined) {} }
    // Where operands of calls that are made at once gather, and the results of those that were, from the member that comes on.
    var gathered: Int32 = -1, made: Int32 = 0, left = 0
    var range = ScalarRange(code: code.count)
    free.clear()
    top = Int32(constants.count)
    // Last uses, and what comes from outside.
    for m in 0 ..< Int(info.count) {
      let r = g.record(Int(members[m]))
      for k in 0 ..< Int(r.arity) {
        let q = Int(items[g.operand(r, k)].root)
        last[q] = Int32(2 * m)
        try load(g, values, q, s, info.stage, slot, &range)
      }
    }
    // What no member makes is stored at once; a member's stores follow it.
    let places = values.places, first = places.first(s)
    var e = first
    while e >= 0 {
      try load(g, values, Int(places.stores[e].source), s, info.stage, slot, &range)
      e = Int(places.stores[e].next)
    }
    range.near = min(top, Int32(slots))
    e = first
    var known: [(slot: Int32, place: Int)] = [], later: [Target] = [], moved: [Target] = []
    while e >= 0 {
      let x = places.stores[e], q = Int(x.source), next = Int(x.next)
      if items[q].step < -1 {
        known.append((-2 - items[q].step, e))
      } else if isOutside(g, q, s) {
        moved.append(Target(x, e))
      } else {
        same[e] = head[q]
        head[q] = Int32(e)
        later.append(Target(x, e))
      }
      e = next
    }
    moved.sort()
    e = 0
    while e < moved.count {
      let x = places.stores[Int(moved[e].store)]
      if e + 1 < moved.count, moved[e + 1].stands(behind: moved[e]), Rows.pair[Int(g.dtype(Int(x.target)))] >= 0 {
        try store(g, x, slot[Int(x.source)], and: slot[Int(places.stores[Int(moved[e + 1].store)].source)], &range)
        e += 2
      } else {
        try store(g, x, slot[Int(x.source)], &range)
        e += 1
      }
    }
    try fill(g, places, &known, &later, &range)
    pair(g, places, members, Int(info.count), later, last, head, same, partner)
    e = first
    while e >= 0 {
      let q = Int(places.stores[e].source)
      if isOutside(g, q, s), last[q] < 0, slot[q] >= 0 {
        try free.add(slot[q])
        slot[q] = -1
      }
      e = Int(places.stores[e].next)
    }
    for m in 0 ..< Int(info.count) {
      let p = Int(members[m]), r = g.record(p)
      if left == 0, let joined, joined.together[m] > 1 {
        left = Int(joined.together[m])
        if gathered < 0 { gathered = try block(JoinedCalls.most) }
        made = try block(left)
        for k in 0 ..< left {
          let q = Int(items[g.operand(g.record(Int(members[m + k])), 0)].root)
          try emit(codes[Int(Rows.stopGradient) * 7], items[q].step < -1 ? -2 - items[q].step : slot[q], 0, 0, gathered + Int32(k))
        }
        try emit(codes[Int(r.op) * 7], gathered, 0, 0, made)
        self.code[self.code.count - 1].pad = UInt16(left - 1)
      }
      var x: (Int32, Int32, Int32) = (0, 0, 0)
      for k in 0 ..< min(Int(r.arity), 3) {
        let q = Int(items[g.operand(r, k)].root)
        let at = items[q].step < -1 ? -2 - items[q].step : slot[q]
        if k == 0 { x.0 = at } else if k == 1 { x.1 = at } else { x.2 = at }
      }
      for k in 0 ..< min(Int(r.arity), 3) {
        let q = Int(items[g.operand(r, k)].root)
        if items[q].step < -1 || last[q] != Int32(2 * m) { continue }
        last[q] = -1
        try free.add(slot[q])
        if items[q].step != Int32(s) || items[q].kind == .part { slot[q] = -1 }
      }
      let out = left > 0 ? made : try take()
      slot[p] = out
      let d = Int(g.dtype(p))
      if left > 0 {
        made += 1
        left -= 1
      } else if r.op == Structural.cast.rawValue {
        try cast(from: Int(g.dtype(g.operand(r, 0))), to: d, x.0, out)
      } else {
        let rd = classes.withUnsafeBufferPointer { b in b.baseAddress.map { Int(g.rowDType(r, p, $0)) } ?? 0 }
        let compute = rd == 2 || rd == 3 ? 1 : rd
        try emit(codes[Int(r.op) * 7 + compute], x.0, x.1, x.2, out)
        if d == 2 || d == 3, !exact[Int(r.op)] { try emit(Rows.round[d], out, 0, 0, out) }
      }
      if items[p].value >= 0 {
        try emit(Rows.store[d], out, Int32(transfers.count), 0, 0)
        try transfers.add(Transfer(value: items[p].value))
        range.stores += 1
        range.storing += 1
      }
      try repeated(g, places, p, out, head, same, partner, slot, last, m, &range)
      if last[p] < 0 { try free.add(out) }
    }
    for m in 0 ..< Int(info.count) { slot[Int(members[m])] = -1 }
    range.codeCount = code.count - range.code
    operations += range.codeCount - range.loads - range.storing
    try ranges.add(range)
  }

  /// Made by another step, or by none.
  @inline(__always) private func isOutside(_ g: Graph, _ q: Int, _ s: Int) -> Bool {
    g.items[q].kind == .part || g.items[q].step != Int32(s) && g.items[q].step >= -1
  }

  private mutating func load(_ g: Graph, _ values: borrowing Values, _ q: Int, _ s: Int, _ stage: UInt8, _ slot: UnsafeMutablePointer<Int32>,
                             _ range: inout ScalarRange) throws(Failure) {
    if slot[q] >= 0 || !isOutside(g, q, s) { return }
    slot[q] = try take()
    try emit(Rows.load[Int(g.dtype(q))], Int32(transfers.count), 0, 0, slot[q])
    try transfers.add(Transfer(value: Int32(values.seen(g, q, stage: stage))))
    range.loads += 1
  }

  private mutating func store(_ g: Graph, _ x: Places.Store, _ slot: Int32, _ range: inout ScalarRange) throws(Failure) {
    let d = Int(g.dtype(Int(x.target)))
    try emit(Rows.store[d], slot, Int32(transfers.count), 0, 0)
    try transfers.add(Transfer(value: g.items[Int(x.target)].value, shift: x.offset * Int(size(UInt8(d)))))
    range.stores += 1
    range.storing += 1
  }

  /// Two numbers side by side.
  private mutating func store(_ g: Graph, _ x: Places.Store, _ slot: Int32, and other: Int32, _ range: inout ScalarRange) throws(Failure) {
    try store(g, x, slot, &range)
    self.code[self.code.count - 1].code = UInt16(truncatingIfNeeded: Rows.pair[Int(g.dtype(Int(x.target)))])
    self.code[self.code.count - 1].z = other
    range.stores += 1
  }

  /// Members that computed one soon after the other what lies side by side are stored at once, after the second: stores are what such code waits for. The
  /// first one's slot is kept until then.
  private func pair(_ g: Graph, _ places: Places, _ members: UnsafeMutablePointer<Int32>, _ count: Int, _ later: [Target], _ last: UnsafeMutablePointer<Int32>,
                    _ head: UnsafeMutablePointer<Int32>, _ same: UnsafeMutablePointer<Int32>, _ partner: UnsafeMutablePointer<Int32>) {
    if later.count < 2 { return }
    // For now, who stores: the member's number; those that are stored often keep to themselves.
    for m in 0 ..< count {
      var few = 0, e = head[Int(members[m])]
      while e >= 0, few < 4 { (few, e) = (few + 1, same[Int(e)]) }
      e = few < 4 ? head[Int(members[m])] : -1
      while e >= 0 {
        partner[Int(e)] = Int32(m)
        e = same[Int(e)]
      }
    }
    var i = 0
    while i < later.count {
      let a = Int(later[i].store), b = i + 1 < later.count && later[i + 1].stands(behind: later[i]) ? Int(later[i + 1].store) : -1
      if b >= 0, partner[a] >= 0, partner[b] >= 0, abs(partner[a] - partner[b]) <= ScalarCode.soon, Rows.pair[Int(g.dtype(Int(places.stores[a].target)))] >= 0 {
        let after = 2 * max(partner[a], partner[b]) + 1
        for q in [places.stores[a].source, places.stores[b].source] { last[Int(q)] = max(last[Int(q)], after) }
        (partner[a], partner[b]) = (Int32(b), Int32(a))
        i += 2
      } else {
        partner[a] = -1
        i += 1
      }
    }
  }
  private static var soon: Int32 { 32 }

  /// An element of a joined array.
  private struct Target: Comparable {
    let array: Int32, store: Int32, offset: Int
    init(_ s: Places.Store, _ number: Int) { (array, store, offset) = (s.target, Int32(truncatingIfNeeded: number), s.offset) }
    init(_ s: Places.Store, plus n: Int) { (array, store, offset) = (s.target, -1, s.offset + n) }
    func stands(behind x: Self) -> Bool { array == x.array && offset == x.offset + 1 }
    func isAt(_ x: Self) -> Bool { array == x.array && offset == x.offset }
    static func < (a: Self, b: Self) -> Bool { (a.array, a.offset) < (b.array, b.offset) }
  }

  /// Stores constants, those that lie side by side at once. `later`: what members store afterwards; one or two such elements between equal constants
  /// are written twice, since one wide store costs less than two narrow ones.
  private mutating func fill(_ g: Graph, _ places: Places, _ known: inout [(slot: Int32, place: Int)], _ later: inout [Target], _ range: inout ScalarRange) throws(Failure) {
    known.sort { a, b in (a.slot, Target(places.stores[a.place], a.place)) < (b.slot, Target(places.stores[b.place], b.place)) }
    later.sort()
    var i = 0
    while i < known.count {
      let x = places.stores[known[i].place], wide = Rows.fill[Int(g.dtype(Int(x.target)))] >= 0
      var n = 1, members = 1
      while wide, i + members < known.count, known[i + members].slot == known[i].slot {
        let y = places.stores[known[i + members].place], gap = y.offset - x.offset - n
        if y.target != x.target || gap > 2 || n + gap >= MachineCode.mostFilled || gap > 0 && !Self.contains(later, x, n, gap) { break }
        n += gap + 1
        members += 1
      }
      try fill(g, x, known[i].slot, n, numbers: members, &range)
      i += members
    }
  }

  /// Whether `count` elements from the n-th behind a place stand in a sorted list.
  private static func contains(_ list: [Target], _ x: Places.Store, _ n: Int, _ count: Int) -> Bool {
    let first = Target(x, plus: n)
    var low = 0, high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle] < first { low = middle + 1 } else { high = middle }
    }
    return low + count <= list.count && (0 ..< count).allSatisfy { list[low + $0].isAt(Target(x, plus: n + $0)) }
  }

  /// n numbers from a place on, in one instruction.
  private mutating func fill(_ g: Graph, _ x: Places.Store, _ slot: Int32, _ n: Int, numbers: Int, _ range: inout ScalarRange) throws(Failure) {
    try store(g, x, slot, &range)
    if n == 1 { return }
    self.code[self.code.count - 1].code = UInt16(truncatingIfNeeded: Rows.fill[Int(g.dtype(Int(x.target)))])
    self.code[self.code.count - 1].z = Int32(n)
    range.stores += numbers - 1
  }

  /// Stores a member wherever it is wanted; four times and more side by side at once, and what has a partner with it.
  private mutating func repeated(_ g: Graph, _ places: Places, _ p: Int, _ out: Int32, _ head: UnsafeMutablePointer<Int32>, _ same: UnsafeMutablePointer<Int32>,
                                 _ partner: UnsafeMutablePointer<Int32>, _ slot: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>, _ m: Int,
                                 _ range: inout ScalarRange) throws(Failure) {
    if head[p] < 0 { return }
    var few = 0, e = head[p]
    while e >= 0, few < 4 { (few, e) = (few + 1, same[Int(e)]) }
    var all: [Places.Store] = [], done: [Int32] = []
    while head[p] >= 0 {
      let e = Int(head[p]), x = places.stores[e]
      head[p] = same[e]
      if few >= 4 {
        all.append(x)
      } else if partner[e] < 0 {
        try store(g, x, out, &range)
      } else {
        // Of two partners the later one stores both.
        let f = Int(partner[e]), y = places.stores[f], q = Int(y.source)
        partner[e] = -1
        if partner[f] >= 0 { continue }
        if y.offset > x.offset { try store(g, x, out, and: slot[q], &range) } else { try store(g, y, slot[q], and: out, &range) }
        for v in [p, q] where last[v] == Int32(2 * m + 1) {
          last[v] = -1
          if v != p { done.append(slot[v]) }
        }
      }
    }
    for s in done { try free.add(s) }
    if few < 4 { return }
    all.sort { Target($0, 0) < Target($1, 0) }
    var i = 0
    while i < all.count {
      var n = 1
      while n < MachineCode.mostFilled, i + n < all.count, Target(all[i + n], 0).isAt(Target(all[i], plus: n)) { n += 1 }
      if n < 4 || Rows.fill[Int(g.dtype(Int(all[i].target)))] < 0 { n = 1 }
      try fill(g, all[i], out, n, numbers: n, &range)
      i += n
    }
  }

  /// 16-bit formats lie in slots as f32; to them every other dtype is rounded once, through storage.
  private mutating func cast(from: Int, to: Int, _ x: Int32, _ out: Int32) throws(Failure) {
    let half = { (d: Int) in d == 2 || d == 3 }
    let compute = half(from) ? 1 : from
    if half(to), compute != 1 {
      let t = try take()
      try emit(Rows.cast[compute * 7 + to], x, 0, 0, t)
      try emit(Rows.cast[to * 7 + 1], t, 0, 0, out)
      try free.add(t)
    } else if half(to) {
      try emit(Rows.round[to], x, 0, 0, out)
    } else if compute == to {
      try emit(Rows.codes[Int(Rows.stopGradient) * 7 + to], x, 0, 0, out)
    } else {
      try emit(Rows.cast[compute * 7 + to], x, 0, 0, out)
    }
  }
}

/// A constant as it lies in memory.
func store(_ bits: UInt64, _ d: DType, at p: UnsafeMutableRawPointer) {
  var slot = slotBits(bits, UInt8(d.rawValue))
  if d.isHalf { ck_cast_kernel(1, d.rawValue)?(&slot, nil, nil, p, 1) } else { p.copyMemory(from: &slot, byteCount: d.size) }
}

/// A constant as its slot holds it.
func slotBits(_ bits: UInt64, _ dtype: UInt8) -> UInt64 {
  switch dtype {
  case 1, 2, 3: UInt64(Float(Double(bitPattern: bits)).bitPattern)
  case 5: UInt64(UInt32(truncatingIfNeeded: bits))
  default: bits
  }
}
