import CKernels
import Tape

enum Origin: UInt8 { case host, constant, step, kept }

/// A dense array in memory: a host's input, a constant, what a step makes, the copy of an earlier stage's input, or a piece of one of those.
struct Value: BitwiseCopyable {
  var bytes: Int
  var count: Int
  /// Host input: its place in its stage's list. Constant: its offset in the block of constants.
  var place = 0
  /// A piece: the value in whose memory it lies, which lives as long and is no piece itself, and the bytes before it there.
  var parent: Int32 = -1
  var shift = 0
  /// Times of the step that makes it (-1: none), of the first that writes a piece of it, and of the last that reads it.
  var def: Int32 = -1
  var first: Int32 = Int32.max
  var last: Int32 = -1
  /// The last step seen reading it, while reads are collected.
  var reader: Int32 = -1
  /// A host input that later stages read: the value that keeps its copy.
  var kept: Int32 = -1
  var position: Int32
  var origin: Origin
  var dtype: UInt8
  var stage: UInt8
  /// Bools, eight to a byte.
  var bits = false
  /// Read in a later stage than its own.
  var pinned = false
}

struct Output: BitwiseCopyable {
  var value: Int32
  var stage: UInt8
  var index: Int32
}

/// Which values lie in memory, who makes and who reads them.
struct Values: ~Copyable {
  var list = List<Value>()
  var reads = List<Int32>(), writes = List<Int32>()
  var outputs = List<Output>()
  var constants = List<Int32>()
  var constantBytes = 0
  /// The stages that a stage reads values of, as bits.
  var needs: [UInt64]
  /// Numbers that scalar programs know: items[position].step = -2 - slot.
  var scalarConstants = List<Int32>()
  let places: Places
  /// Some masks lie in bits.
  var hasBits = false

  init(_ g: Graph, _ c: inout Clusters, _ places: Places) throws(Failure) {
    needs = [UInt64](repeating: 0, count: g.stages.count)
    self.places = places
    for t in 0 ..< c.schedule.count {
      let s = Int(c.schedule[t]), info = c.steps[s]
      c.steps[s].readStart = Int32(reads.count)
      if info.kind == .scan || info.kind == .call {
        let p = Int(c.members[Int(info.start)])
        g.items[p].value = Int32(list.count)
        for (k, m) in g.tape.tupleMembers(NodeID(g.items[p].node)).enumerated() {
          let needed = info.kind == .call || g.needed[p]?[k] ?? false
          try add(Value(bytes: needed ? m.bytes : 0, count: needed ? m.count : 0, def: Int32(t), last: Int32(t), position: -1, origin: .step, dtype: UInt8(m.dtype.rawValue), stage: info.stage))
        }
        if let stack = g.stacks[p] {
          let size = stateOffsets(g.stateBytes(p)).size.multipliedReportingOverflow(by: stack.slots)
          guard !size.overflow else { throw refused }
          try add(Value(bytes: size.partialValue, count: size.partialValue, def: Int32(t), last: Int32(t), position: -1, origin: .step, dtype: 6, stage: info.stage))
        }
        for e in g.sources[p] ?? [] {
          for k in g.stacks[e]?.inputs ?? [] { try reads(g, Int(g.items[g.operand(g.record(e), k)].root), s, t, info, c) }
        }
      } else if info.kind == .kernel {
        let p = Int(c.members[Int(info.start)])
        _ = try value(g, p, c)
      }
      for m in 0 ..< Int(info.count) {
        let p = Int(c.members[Int(info.start) + m]), r = g.record(p)
        let rest = info.kind == .kernel ? places.rest[Int32(s)] : nil
        if let rest {
          for k in 0 ..< Int(r.arity) {
            let q = Int(g.items[g.operand(r, k)].root)
            if places.place(q) != nil { _ = try value(g, q, c) }
          }
          for x in rest { try reads(g, Int(g.items[g.operand(r, x.slot)].root), s, t, info, c) }
        } else {
          for k in 0 ..< Int(r.arity) { try reads(g, Int(g.items[g.operand(r, k)].root), s, t, info, c) }
        }
      }
      var e = places.first(s)
      while e >= 0 {
        let x = places.stores[e]
        try reads(g, Int(x.source), s, t, info, c)
        _ = try value(g, Int(x.target), c)
        e = Int(x.next)
      }
      c.steps[s].readCount = Int32(reads.count) - c.steps[s].readStart
    }
    for (k, stage) in g.stages.enumerated() {
      for (j, o) in stage.outputs.enumerated() {
        let v = try value(g, Int(g.items[Int(g.position[o.i])].root), c)
        let seen = try crossing(Int(v), UInt8(k))
        try outputs.add(Output(value: Int32(seen), stage: UInt8(k), index: Int32(j)))
      }
    }
    for s in 0 ..< c.steps.count {
      c.steps[s].writeStart = Int32(writes.count)
      let info = c.steps[s]
      if info.time < 0 { continue }
      var e = places.first(s), before: Int32 = -1
      while e >= 0 {
        let v = g.items[Int(places.stores[e].target)].value
        if v != before { try write(v, info.time) }
        before = v
        e = Int(places.stores[e].next)
      }
      if info.kind == .scan || info.kind == .call {
        let p = Int(c.members[Int(info.start)]), base = g.items[p].value
        for i in 0 ..< g.tape.memberCount(NodeID(g.items[p].node)) + (g.stacks[p] == nil ? 0 : 1) { try writes.add(base + Int32(i)) }
      } else {
        for m in 0 ..< Int(info.count) {
          let v = g.items[Int(c.members[Int(info.start) + m])].value
          if v >= 0 { try write(v, info.time) }
        }
      }
      c.steps[s].writeCount = Int32(writes.count) - c.steps[s].writeStart
    }
  }

  private mutating func reads(_ g: Graph, _ q: Int, _ s: Int, _ t: Int, _ info: StepInfo, _ c: borrowing Clusters) throws(Failure) {
    if info.kind == .scalar, g.isNumber(q) {
      if g.items[q].step == -1 {
        g.items[q].step = Int32(-2 - scalarConstants.count)
        try scalarConstants.add(Int32(q))
      }
      return
    }
    if g.items[q].step == Int32(s), g.items[q].kind != .part { return }
    try read(Int(try value(g, q, c)), Int32(s), Int32(t), info.stage)
  }

  private mutating func write(_ value: Int32, _ time: Int32) throws(Failure) {
    let v = base(Int(value))
    list[v].first = min(list[v].first, time)
    try writes.add(Int32(v))
  }

  /// The value in whose memory one lies.
  @inline(__always) func base(_ v: Int) -> Int { list[v].parent < 0 ? v : Int(list[v].parent) }

  private mutating func add(_ v: Value) throws(Failure) {
    guard list.count < Int(Int32.max) else { throw refused }
    try list.add(v)
  }

  /// The value of the item at `q`, a root.
  private mutating func value(_ g: Graph, _ q: Int, _ c: borrowing Clusters) throws(Failure) -> Int32 {
    let item = g.items[q]
    if item.kind == .part {
      let r = g.record(q), scan = g.operand(r, 0)
      return g.items[scan].value + Int32(g.place(ofMember: g.member(q, scan), of: scan))
    }
    if item.kind == .host {
      // Flat numbers stand in `value` until the first use: below -1 afterwards is a value.
      if item.value <= -2 { return -2 - item.value }
    } else if item.value >= 0 {
      return item.value
    }
    var parent = -1, shift = 0
    if item.kind == .piece {
      let w = g.window(q)
      (parent, shift) = (Int(try value(g, Int(w.of), c)), w.offset)
    } else if let w = places.place(q) {
      (parent, shift) = (Int(try value(g, Int(w.of), c)), w.offset)
    }
    let t = g.tape.type(NodeID(item.node))
    var v = Value(bytes: t.bytes, count: t.count, position: Int32(q), origin: .step, dtype: UInt8(t.dtype.rawValue), stage: item.stage)
    let number = Int32(list.count)
    if parent >= 0 {
      shift *= t.dtype.size
      if list[parent].parent >= 0 { (parent, shift) = (Int(list[parent].parent), shift + list[parent].shift) }
      let x = list[parent]
      (v.parent, v.shift, v.origin, v.stage) = (Int32(parent), shift, x.origin, x.stage)
      v.def = item.kind == .piece ? x.def : c.steps[Int(item.step)].time
      g.items[q].value = number
      try add(v)
      return number
    }
    switch item.kind {
    case .host:
      v.origin = .host
      v.place = Int(item.value)
      for k in 0 ..< Int(item.stage) { v.place -= g.stages[k].inputs.count }
      g.items[q].value = -2 - number
    case .constant, .array:
      v.origin = .constant
      v.stage = 0
      v.place = constantBytes
      constantBytes = constantBytes &+ up(t.bytes, t.bytes <= 8 ? 8 : 64)
      if t.bytes > 8 { v.place = up(v.place, 64); constantBytes = v.place &+ up(t.bytes, 64) }
      guard constantBytes < 1 << 56 else { throw refused }
      try constants.add(number)
      g.items[q].value = number
    default:
      v.def = c.steps[Int(item.step)].time
      v.last = v.def
      g.items[q].value = number
    }
    try add(v)
    return number
  }

  /// The value as a stage sees it: an earlier stage's host input through its copy.
  private mutating func crossing(_ v: Int, _ stage: UInt8) throws(Failure) -> Int {
    let x = list[v]
    if x.origin == .constant || x.stage == stage { return v }
    if x.parent >= 0 {
      let whole = try crossing(Int(x.parent), stage)
      if whole == Int(x.parent) { return v }
      if x.kept >= 0 { return Int(x.kept) }
      let k = list.count
      list[v].kept = Int32(k)
      try add(Value(bytes: x.bytes, count: x.count, parent: Int32(whole), shift: x.shift, position: x.position, origin: .kept, dtype: x.dtype, stage: x.stage, pinned: true))
      return k
    }
    needs[Int(stage)] |= 1 << UInt64(x.stage)
    if x.origin == .step {
      list[v].pinned = true
      return v
    }
    if x.kept >= 0 { return Int(x.kept) }
    let k = list.count
    list[v].kept = Int32(k)
    try add(Value(bytes: x.bytes, count: x.count, place: v, position: x.position, origin: .kept, dtype: x.dtype, stage: x.stage, pinned: true))
    return k
  }

  private mutating func read(_ value: Int, _ step: Int32, _ time: Int32, _ stage: UInt8) throws(Failure) {
    let v = base(try crossing(value, stage))
    if list[v].reader == step { return }
    list[v].reader = step
    list[v].last = max(list[v].last, time)
    try reads.add(Int32(v))
  }

  /// The value that the item at root `q` has for a step of `stage`.
  func seen(_ g: Graph, _ q: Int, stage: UInt8) -> Int {
    var v: Int
    if g.items[q].kind == .part {
      let r = g.record(q), scan = g.operand(r, 0)
      v = Int(g.items[scan].value) + g.place(ofMember: g.member(q, scan), of: scan)
    } else {
      v = Int(g.items[q].kind == .host ? -2 - g.items[q].value : g.items[q].value)
    }
    if list[v].origin == .host, list[v].stage != stage { v = Int(list[v].kept) }
    return v
  }
}
