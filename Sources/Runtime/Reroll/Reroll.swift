import CKernels
import Tape

/// Re-rolling: copies of one part of a tape, recorded number by number, become one program on arrays. The result is a new tape that
/// computes the same, to the bit: a row gives an element of an array what it gives a number alone.
///
/// A class of single numbers (see `Isomorphic`) is one array. Its operands are arrays that lie in the same order, arrays gathered by
/// constant indices, elements of a host's array, or one number for all.
final class Reroll {
  private let old: Isomorphic
  private let source: Tape
  private let new = Tape()
  /// By position, and by class: the node of the new tape, -1: none yet, -2: being made.
  private let single: Memory<Int32>, array: Memory<Int32>
  /// By position, while a stack is looked at: the first part seen from behind that it is.
  private let latest: Memory<Int32>

  /// Never, where it pays, wherever parts repeat at all (tests).
  enum Mode { case off, auto, always }

  /// Nil where nothing repeats enough, or memory is refused.
  static func make(_ tape: Tape, _ stages: [Stage], _ mode: Mode) -> (tape: Tape, stages: [Stage], summary: String)? {
    if mode == .off { return nil }
    guard let found = try? Isomorphic.find(tape, stages, least: mode == .always ? 0 : Isomorphic.least), let r = try? Reroll(tape, found),
          (try? mode == .always ? r.arranged() : r.pays()) == true else { return nil }
    guard let made = try? r.build(stages), r.new.failure == nil else { return nil }
    return (r.new, made, "re-rolled: \(r.old.batched) of \(r.old.scalars) operations on single numbers, as \(r.old.arrays) operations on arrays")
  }

  private init(_ tape: Tape, _ found: Isomorphic) throws(Failure) {
    source = tape
    single = try Memory(found.count, filling: -1)
    array = try Memory(found.classes.count, filling: -1)
    latest = try Memory(found.count, filling: -1)
    old = found
  }

  // MARK: what operands are

  /// An operand of all members of a class.
  private enum Source {
    /// The same number for all.
    case same(Int)
    /// Elements of a batched class or of an array (`root` set): first + i * step, or none such.
    case run(cls: Int32, root: Int, first: Int, step: Int)
    /// first + (i / rep) % period.
    case spread(cls: Int32, root: Int, first: Int, rep: Int, period: Int)
    case gather(cls: Int32, root: Int)
    case constants
    case numbers
  }

  @inline(__always) private func member(_ c: Isomorphic.Class, _ i: Int) -> Int { Int(old.members[Int(c.start) + i]) }
  @inline(__always) private func operand(_ c: Isomorphic.Class, _ i: Int, _ slot: Int) -> Int {
    old.operand(old.record(member(c, i)), slot)
  }
  @inline(__always) private func index(_ q: Int, batched: Bool) -> Int { batched ? Int(old.place[q]) : Int(old.index[q]) }

  private func look(_ c: Isomorphic.Class, _ slot: Int) -> Source {
    let n = Int(c.count), x = c.x[slot], e = old.classes[Int(x)], first = operand(c, 0, slot)
    var i = 1
    while i < n, operand(c, i, slot) == first { i += 1 }
    if i == n { return .same(first) }
    if e.op == Isomorphic.constant { return .constants }
    let root = e.op == Isomorphic.element ? Int(e.x.x) : -1
    guard e.batched || root >= 0 else { return .numbers }
    func at(_ i: Int) -> Int { index(operand(c, i, slot), batched: e.batched) }
    let start = at(0), step = at(1) - start
    i = 2
    while i < n, at(i) == start + i * step { i += 1 }
    if i == n, step != 0 { return .run(cls: x, root: root, first: start, step: step) }
    var rep = 1
    while at(rep) == start { rep += 1 }   // not all are the same
    var period = 1
    while period * rep < n, at(period * rep) == start + period { period += 1 }
    if n % (rep * period) == 0, period > 1 {
      i = 0
      while i < n, at(i) == start + i / rep % period { i += 1 }
      if i == n { return .spread(cls: x, root: root, first: start, rep: rep, period: period) }
    }
    return .gather(cls: x, root: root)
  }

  private func arranged() throws(Failure) -> Bool {
    try old.arrange()
    return true
  }

  /// Nanoseconds, roughly, of a number in machine code: from the caches' first level, second, none.
  private var each: Double { old.scalars > 1_000_000 ? 4 : old.scalars > 100_000 ? 0.5 : 0.25 }

  /// Orders the arrays and leaves to single numbers what costs more as an array. False where all in all it does not pay.
  private func pays() throws(Failure) -> Bool {
    let each = self.each
    for round in 0 ..< 4 {
      try old.arrange()
      var before = 0.0, after = 0.0, released = false
      var known = Set<UInt64>()   // what has been gathered once
      for k in 0 ..< old.classes.count where old.classes[k].batched {
        let c = old.classes[k], n = Double(c.count)
        var cost = 10 + n * 0.08
        for s in 0 ..< 3 where c.x[s] >= 0 {
          switch look(c, s) {
          case .same, .constants, .spread: break
          case .run(_, _, _, let step): if step != 1 { cost += 30 + n * 0.3 }
          case .gather: if known.insert(fingerprint(c, s)).inserted { cost += 50 + n * 0.7 }
          case .numbers: if known.insert(fingerprint(c, s)).inserted { cost += 50 + n * 1.5 }
          }
        }
        if round < 3, cost > n * each {
          old.release(k)
          released = true
        }
        before += n * each
        after += cost
      }
      if !released { return after < 0.8 * before }
    }
    return false
  }

  private func fingerprint(_ c: Isomorphic.Class, _ slot: Int) -> UInt64 {
    var h = UInt64(UInt32(bitPattern: c.x[slot]))
    for i in 0 ..< Int(c.count) {
      h = (h ^ UInt64(operand(c, i, slot))) &* 0x9E37_79B9_7F4A_7C15
      h ^= h >> 29
    }
    return h
  }

  // MARK: building

  /// What is to be made: a class where `cls` is not negative, else the node at `position`.
  private struct Frame: BitwiseCopyable {
    var cls: Int32, position: Int32
    var next = 0
  }

  private func build(_ stages: [Stage]) throws(Failure) -> [Stage] {
    var inputs: [[NodeID]] = []
    for s in stages {
      inputs.append(s.inputs.map { new.input(source.type($0)) })
      for (n, m) in zip(s.inputs, inputs[inputs.count - 1]) where old.order.position[n.i] >= 0 { single[Int(old.order.position[n.i])] = m.index }
    }
    var stack = List<Frame>()
    for s in stages { for n in s.outputs { try make(Int(old.order.position[n.i]), &stack) } }
    var result: [Stage] = []
    for (s, i) in zip(stages, inputs) { result.append((i, s.outputs.map { number(Int(old.order.position[$0.i])) })) }
    return result
  }

  /// The unit that position p is computed by.
  @inline(__always) private func frame(_ p: Int) -> Frame {
    old.isBatched(p) ? Frame(cls: old.cls[p], position: -1) : Frame(cls: -1, position: Int32(p))
  }
  @inline(__always) private func state(_ f: Frame) -> Int32 { f.cls >= 0 ? array[Int(f.cls)] : single[Int(f.position)] }

  private func make(_ p: Int, _ stack: inout List<Frame>) throws(Failure) {
    let f = frame(p)
    if state(f) >= 0 { return }
    try stack.add(f)
    while !stack.isEmpty {
      let top = stack.count - 1
      var f = stack[top]
      if let q = dependency(&f) {
        stack[top] = f
        let g = frame(q)
        if state(g) == -1 {
          if g.cls >= 0 { array[Int(g.cls)] = -2 } else { single[Int(g.position)] = -2 }
          try stack.add(g)
        }
        continue
      }
      _ = stack.pop()
      if f.cls >= 0 { array[Int(f.cls)] = try batch(old.classes[Int(f.cls)]).index } else { single[Int(f.position)] = try again(Int(f.position)).index }
      if let f = new.failure { throw f }
    }
  }

  /// The next position that `f` needs, nil after the last.
  private func dependency(_ f: inout Frame) -> Int? {
    if f.cls < 0 {
      let p = Int(f.position), r = old.record(p)
      if f.next >= Int(r.arity) || source.structural(old.node(p)) == .constant { return nil }
      f.next += 1
      let q = old.operand(r, f.next - 1)
      return isStack(r) ? piece(q) : q
    }
    let c = old.classes[Int(f.cls)], n = Int(c.count)
    while f.next < 3 * n {
      let slot = f.next / n, i = f.next % n
      f.next += 1
      guard c.x[slot] >= 0 else { f.next = (slot + 1) * n; continue }
      let e = old.classes[Int(c.x[slot])], q = operand(c, i, slot)
      if e.op == Isomorphic.constant || e.batched || e.op == Isomorphic.element { f.next = (slot + 1) * n }
      if e.op == Isomorphic.constant { continue }
      if e.op == Isomorphic.element { return Int(e.x.x) }
      return q
    }
    return nil
  }

  /// The node of the new tape for position p; a member of a class is an element of its array.
  private func number(_ p: Int) -> NodeID {
    guard old.isBatched(p) else { return NodeID(single[p]) }
    return new.reshape(new.slice(NodeID(array[Int(old.cls[p])]), axis: -1, start: Int(old.place[p]), count: 1), [])
  }

  private func again(_ p: Int) throws(Failure) -> NodeID {
    let n = old.node(p), r = source.record(n)
    if isStack(r) { return try stack(p, r) }
    var x: [NodeID] = []
    if source.structural(n) != .constant { for k in 0 ..< Int(r.arity) { x.append(number(old.operand(r, k))) } }
    return new.again(n, from: source, x)
  }

  // MARK: arrays

  private func batch(_ c: Isomorphic.Class) throws(Failure) -> NodeID {
    var x: [NodeID] = []
    for s in 0 ..< 3 where c.x[s] >= 0 { x.append(try operands(c, s)) }
    if c.op == Int32(Structural.cast.rawValue) { return new.cast(x[0], source.types[Int(c.type)].dtype) }
    return new.elementwise(OpCode(raw: UInt16(c.op)), x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none)
  }

  private func operands(_ c: Isomorphic.Class, _ slot: Int) throws(Failure) -> NodeID {
    let n = Int(c.count), e = old.classes[Int(c.x[slot])]
    switch look(c, slot) {
    case .same(let q):
      // An element of an array may not have been made by itself.
      if e.op == Isomorphic.constant { return new.splat(new.constant(source.dtype(old.node(q)), bits: source.constantBits(old.node(q))), [n]) }
      if e.op == Isomorphic.element { return new.splat(new.reshape(new.slice(flat(Int(e.x.x)), axis: -1, start: Int(old.index[q]), count: 1), []), [n]) }
      return new.splat(number(q), [n])
    case .constants:
      let t = TensorType(source.types[Int(e.type)].dtype, [n]), size = t.dtype.size, block = try Memory<UInt8>(n * size, filling: 0)
      for i in 0 ..< n { store(source.constantBits(old.node(operand(c, i, slot))), t.dtype, at: UnsafeMutableRawPointer(block.p + i * size)) }
      return new.array(t, block.p)
    case .run(let k, let root, let first, let step):
      return new.slice(root >= 0 ? flat(root) : NodeID(array[Int(k)]), axis: -1, start: first, count: n, step: step)
    case .spread(let k, let root, let first, let rep, let period):
      let part = new.slice(root >= 0 ? flat(root) : NodeID(array[Int(k)]), axis: -1, start: first, count: period)
      return new.reshape(new.broadcast(new.reshape(part, [1, period, 1]), to: [n / (rep * period), period, rep]), [n])
    case .gather(let k, let root):
      let at = try Memory<Int32>(n, filling: 0)
      for i in 0 ..< n { at[i] = Int32(truncatingIfNeeded: index(operand(c, i, slot), batched: e.batched)) }
      return new.gather(root >= 0 ? flat(root) : NodeID(array[Int(k)]), new.array(TensorType(.i32, [n]), at.p), axis: -1)
    case .numbers:
      // Numbers of their own, each once, and which of them each member reads.
      let at = try Memory<Int32>(n, filling: 0)
      var known: [Int: Int32] = [:], parts: [NodeID] = []
      for i in 0 ..< n {
        let q = operand(c, i, slot)
        if let k = known[q] { at[i] = k; continue }
        at[i] = Int32(parts.count)
        known[q] = at[i]
        parts.append(new.reshape(number(q), [1]))
      }
      let all = new.chained(parts, axis: -1)
      return parts.count == n ? all : new.gather(all, new.array(TensorType(.i32, [n]), at.p), axis: -1)
    }
  }

  private func flat(_ root: Int) -> NodeID {
    let x = NodeID(single[root])
    return new.reshape(x, [source.type(old.node(root)).count])
  }

  // MARK: stacks of numbers

  /// A concat of many numbers.
  private func isStack(_ r: Record) -> Bool {
    r.op == Structural.concat.rawValue && r.arity >= 8 && source.types[Int(r.type)].rank == 1 && source.types[Int(r.type)].count == Int(r.arity)
  }

  /// The member of a class that a part of a stack shows, or the part itself.
  private func piece(_ q: Int) -> Int {
    let r = old.record(q)
    if !old.isHost[q], r.op == Structural.reshape.rawValue {
      let o = old.operand(r, 0)
      if old.isBatched(o) { return o }
    }
    return q
  }

  /// The part that goes on after this one: the next member of its class, or the same number again; -1 after the last member.
  private func follower(_ p: Int) -> Int {
    if !old.isBatched(p) { return p }
    let c = old.classes[Int(old.cls[p])], next = Int(old.place[p]) + 1
    return next < Int(c.count) ? member(c, next) : -1
  }

  private func stack(_ p: Int, _ r: Record) throws(Failure) -> NodeID {
    let n = Int(r.arity), at = try Memory<Int32>(n, filling: 0), next = try Memory<Int32>(n, filling: -1)
    // By part: where what follows it comes first after it. `latest` is clean between stacks.
    for k in 0 ..< n { at[k] = Int32(piece(old.operand(r, k))) }
    for k in (0 ..< n).reversed() {
      let f = follower(Int(at[k]))
      if f >= 0 { next[k] = latest[f] }
      latest[Int(at[k])] = Int32(k)
    }
    for k in 0 ..< n { latest[Int(at[k])] = -1 }
    var parts: [NodeID] = [], i = 0
    while i < n {
      let period = old.isBatched(Int(at[i])) && next[i] > i ? Int(next[i]) - i : n
      var end = i + period
      while end < n, follower(Int(at[end - period])) == Int(at[end]) { end += 1 }
      let rounds = (end - i) / period
      if rounds >= 4 {
        let columns = (0 ..< period).map { k in column(Int(at[i + k]), rounds) }
        parts.append(period == 1 ? columns[0] : new.reshape(new.concat(columns.map { new.reshape($0, [rounds, 1]) }, axis: -1), [rounds * period]))
        i += period * rounds
      } else {
        // What was looked at and does not go on for long is taken part by part, and not looked at again.
        let to = max(end - period, i + 1)
        while i < to {
          parts.append(part(Int(at[i])))
          i += 1
        }
      }
    }
    return new.chained(parts, axis: -1)
  }

  private func column(_ p: Int, _ rounds: Int) -> NodeID {
    if !old.isBatched(p) { return new.splat(new.reshape(NodeID(single[p]), []), [rounds]) }
    return new.slice(NodeID(array[Int(old.cls[p])]), axis: -1, start: Int(old.place[p]), count: rounds)
  }

  private func part(_ p: Int) -> NodeID { new.reshape(number(p), [1]) }
}
