import CKernels

/// Straight-line code over slots becomes machine code. Every value's home is its own slot: a spill stores it there, a reload reads
/// it from there, and a value that dies in a register is never stored. The register whose value is read furthest ahead is given up
/// first; one backward pass knows when that is. Time and memory are linear in the instructions.
///
/// A load costs nothing where it stands: its number is fetched when it is first read, and once more if it had to give up its register. That asks that
/// no store comes between which changes it; where a host's output lies over an input, loads are `eager`.
struct Translator<T: Target> {
  var target: T
  private let table = Operations.table, known = Operations.count
  // By slot: the register that holds it, -1 for none; the next instruction to read it; the transfer that fetches it, -1 where it is at home. All stand
  // as made between parts.
  private let register: UnsafeMutablePointer<Int8>, next: UnsafeMutablePointer<Int32>, source: UnsafeMutablePointer<Int32>
  private let slots: Int
  /// By instruction: when x, y, z and the result are read after it.
  private var uses: UnsafeMutablePointer<SIMD4<Int32>>
  private var capacity: Int
  // By register: its slot, when that is read next, what it holds.
  private let owner: UnsafeMutablePointer<Int32>, far: UnsafeMutablePointer<Int32>, kind: UnsafeMutablePointer<Kind>
  /// By operation: what it demands.
  private let demands: UnsafeMutablePointer<Demand>
  /// Whether the part calls kernels.
  private var calls = false
  /// Whether the last part was made silent; parts of more instructions are not, since theirs would be longer.
  private(set) var silent = false
  private static var mostSilent: Int { 1000 }
  /// Straight-line code that the caches do not hold is waited for: nothing fetches instructions ahead of a program that does not jump. From so many
  /// instructions on, every line of code asks for the one that is so many bytes further (in the second-level cache, which holds both).
  private static var fetching: Int { 400_000 }
  private static var line: Int { 64 }
  private static var ahead: Int32 { 16384 }
  private var eager = false
  /// Between fills with one number: its slot and the register that holds it many times.
  private var filling: (slot: Int32, register: Int) = (-1, 0)
  private var transfers = UnsafeBufferPointer<ck_transfer>(start: nil, count: 0)
  private var free: UInt32 = 0, dirty: UInt32 = 0, pinned: UInt32 = 0
  /// Kernels to call instead of this process's (tests of other instruction sets).
  var kernel: ((Int) -> UInt)?

  private static var never: Int32 { Int32.max }
  private static var all: UInt32 { UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(T.registers)) - 1) }
  private static var margin: Int { 512 + T.longest + 24 * T.registers + 16 * MachineCode.mostFilled }

  /// Nil when memory is refused.
  init?(_ target: T, slots: Int, longest: Int) {
    func make<E>(_ n: Int, _ e: E) -> UnsafeMutablePointer<E>? {
      guard let p = ck_alloc(max(n, 1) * MemoryLayout<E>.stride)?.bindMemory(to: E.self, capacity: max(n, 1)) else { return nil }
      p.initialize(repeating: e, count: max(n, 1))
      return p
    }
    guard let register = make(slots, Int8(-1)) else { return nil }
    guard let next = make(slots, Int32.max) else { ck_free(register); return nil }
    guard let source = make(slots, Int32(-1)) else { ck_free(register); ck_free(next); return nil }
    guard let uses = ck_alloc(max(longest, 1) * 16)?.bindMemory(to: SIMD4<Int32>.self, capacity: max(longest, 1)) else {
      ck_free(register)
      ck_free(next)
      ck_free(source)
      return nil
    }
    self.target = target
    self.register = register
    self.next = next
    self.source = source
    self.slots = slots
    self.uses = uses
    capacity = longest
    owner = .allocate(capacity: 32)
    far = .allocate(capacity: 32)
    kind = .allocate(capacity: 32)
    owner.initialize(repeating: -1, count: 32)
    far.initialize(repeating: Int32.max, count: 32)
    kind.initialize(repeating: .f64, count: 32)
    demands = .allocate(capacity: Operations.count)
    for c in 0 ..< Operations.count { (demands + c).initialize(to: T.demand(table[c])) }
  }

  func release() {
    ck_free(register)
    ck_free(next)
    ck_free(source)
    ck_free(uses)
    owner.deallocate()
    far.deallocate()
    kind.deallocate()
    demands.deallocate()
  }

  // MARK: a part

  /// Where the part begins; nil when memory is refused or an instruction is none. After it, the slots in `kept` hold their values.
  mutating func part(_ code: UnsafePointer<ck_instr>?, _ count: Int, kept: UnsafeBufferPointer<Int32>, transfers: UnsafeBufferPointer<ck_transfer>,
                     eager: Bool, near: Int32 = 0) -> Int? {
    self.transfers = transfers
    self.eager = eager || kept.count > 0
    // Not read where count is 0.
    let code = code ?? UnsafePointer(UnsafeRawPointer(uses).assumingMemoryBound(to: ck_instr.self))
    guard count <= capacity, look(code, count, kept) else { return nil }
    free = Self.all
    dirty = 0
    pinned = 0
    guard room() else { return nil }
    target.align()
    let start = target.buffer.count
    silent = T.takesSilence && !calls && count <= Self.mostSilent
    if silent { for k in 0 ..< count where uses[k].w != Self.never && !T.takesSilence(table[Int(code[k].code)].op) { silent = false } }
    target.silent = silent
    target.enter(calls: calls, near: near)
    var fetched = count < Self.fetching ? Int.max : start
    for k in 0 ..< count {
      let u = uses[k]
      if u.w == Self.never { continue }
      guard room() else { return nil }
      if target.buffer.count >= fetched {
        target.prefetch(Self.ahead)
        fetched += Self.line
      }
      let i = code[k], o = table + Int(i.code)
      if o.pointee.op != .fill { endFills() }
      switch o.pointee.op {
      case .call where i.pad > 0:
        empty()
        target.call(entry(i, o), arity: 1, .slot(i.x), .slot(i.x), .slot(i.x), .slot(i.out), count: UInt32(i.pad) + 1)
        for j in 0 ... Int(i.pad) { source[Int(i.out) + j] = -1 }
      case .call: call(entry(i, o), o.pointee.arity, spot(i.x), o.pointee.arity > 1 ? spot(i.y) : spot(i.x), o.pointee.arity > 2 ? spot(i.z) : spot(i.x), i.out)
      case .load: load(i, o, u, Int32(count))
      case .store: store(i, o, u, Int32(count))
      case .fill: fill(i, o, u, Int32(count))
      case .pair: pair(i, o, u, Int32(count))
      default: inline(i, o, u, Int32(count))
      }
    }
    endFills()
    target.leave()
    for k in 0 ..< count {
      let i = code[k]
      if table[Int(i.code)].op == .load {
        next[Int(i.out)] = Self.never
        source[Int(i.out)] = -1
        continue
      }
      next[Int(i.x)] = Self.never
      let op = table[Int(i.code)].op
      if op == .pair { next[Int(i.z)] = Self.never }
      if op == .store || op == .fill || op == .pair { continue }
      for j in 0 ..< Int(i.pad) {
        next[Int(i.x) + 1 + j] = Self.never
        next[Int(i.out) + 1 + j] = Self.never
      }
      next[Int(i.y)] = Self.never
      next[Int(i.z)] = Self.never
      next[Int(i.out)] = Self.never
    }
    for s in kept { next[Int(s)] = Self.never }
    return start
  }

  /// When everything is read next, from the end to the beginning. What nobody reads is not computed: its result's time is never.
  private mutating func look(_ code: UnsafePointer<ck_instr>, _ count: Int, _ kept: UnsafeBufferPointer<Int32>) -> Bool {
    let n = UInt32(truncatingIfNeeded: slots)
    for s in kept {
      if UInt32(bitPattern: s) >= n { return false }
      next[Int(s)] = Int32(count)
    }
    calls = false
    var k = count
    while k > 0 {
      k -= 1
      let i = code[k]
      guard Int(i.code) < known else { return false }
      let op = table[Int(i.code)].op
      if op == .load || op == .store || op == .fill || op == .pair {
        guard look(i, op, Int32(k), n) else { return false }
        continue
      }
      guard UInt32(bitPattern: i.x) < n, UInt32(bitPattern: i.y) < n, UInt32(bitPattern: i.z) < n, UInt32(bitPattern: i.out) < n else { return false }
      let arity = table[Int(i.code)].arity
      if arity == 0 { return false }
      if i.pad > 0 {
        guard lookAtCalls(i, Int32(k)) else { return false }
        continue
      }
      let after = next[Int(i.out)]
      next[Int(i.out)] = Self.never
      var u = SIMD4<Int32>(next[Int(i.x)], Self.never, Self.never, after)
      if after != Self.never {
        if table[Int(i.code)].op == .call { calls = true }
        if arity > 1 { u.y = next[Int(i.y)] }
        if arity > 2 { u.z = next[Int(i.z)]; next[Int(i.z)] = Int32(k) }
        if arity > 1 { next[Int(i.y)] = Int32(k) }
        next[Int(i.x)] = Int32(k)
      }
      uses[k] = u
    }
    return true
  }

  /// One call for several numbers, in slots side by side.
  private mutating func lookAtCalls(_ i: ck_instr, _ k: Int32) -> Bool {
    let n = Int(i.pad) + 1, o = table[Int(i.code)], x = Int(i.x), out = Int(i.out)
    guard o.op == .call, o.arity == 1, o.kind == .f64, o.out == .f64, x + n <= slots, out + n <= slots, x + n <= out || out + n <= x else { return false }
    var after = Self.never
    for j in 0 ..< n {
      after = min(after, next[out + j])
      next[out + j] = Self.never
    }
    uses[Int(k)] = SIMD4(k, Self.never, Self.never, after)
    if after == Self.never { return true }
    calls = true
    for j in 0 ..< n { next[x + j] = k }
    return true
  }

  private mutating func look(_ i: ck_instr, _ op: Op, _ k: Int32, _ n: UInt32) -> Bool {
    let number = op == .load ? i.x : i.y, slot = op == .load ? i.out : i.x
    guard number >= 0, Int(number) < transfers.count, UInt32(bitPattern: slot) < n, op != .fill || 0 ... MachineCode.mostFilled ~= Int(i.z) else { return false }
    if table[Int(i.code)].calls { calls = true }
    let after = next[Int(slot)]
    if op == .pair {
      guard UInt32(bitPattern: i.z) < n else { return false }
      uses[Int(k)] = SIMD4(after, Self.never, next[Int(i.z)], 0)
      next[Int(i.z)] = k
      next[Int(slot)] = k
      return true
    }
    if op == .load {
      next[Int(slot)] = Self.never
      uses[Int(k)] = SIMD4(Self.never, Self.never, Self.never, after)
    } else {
      next[Int(slot)] = k
      uses[Int(k)] = SIMD4(after, Self.never, Self.never, 0)
    }
    return true
  }

  @inline(__always) private mutating func room() -> Bool {
    while target.buffer.room < Self.margin { if !target.buffer.grow() { return false } }
    return true
  }

  // MARK: registers

  @inline(__always) private func bit(_ r: Int) -> UInt32 { 1 << UInt32(truncatingIfNeeded: r) }

  /// A free register, emptied if it must be.
  @inline(__always) private mutating func take() -> Int {
    if free != 0 {
      let r = free.trailingZeroBitCount
      free &= free - 1
      return r
    }
    return evict()
  }

  private mutating func evict() -> Int {
    var best = 0, when: Int32 = -1
    for r in 0 ..< T.registers where far[r] > when && pinned & bit(r) == 0 {
      when = far[r]
      best = r
    }
    spill(best)
    register[Int(owner[best])] = -1
    return best
  }

  @inline(__always) private mutating func spill(_ r: Int) {
    if dirty & bit(r) == 0 { return }
    target.store(r, kind[r], owner[r])
    dirty &= ~bit(r)
  }

  @inline(__always) private mutating func drop(_ r: Int) {
    register[Int(owner[r])] = -1
    dirty &= ~bit(r)
    free |= bit(r)
  }

  /// The register of an operand, which this instruction keeps.
  @inline(__always) private mutating func hold(_ slot: Int32, _ wanted: Kind, _ k: Int32) -> Int {
    var r = Int(register[Int(slot)])
    if r >= 0, kind[r] != wanted {   // read as something else: through memory, as the kernels would
      spill(r)
      drop(r)
      r = -1
    }
    if r < 0 {
      r = take()
      let t = source[Int(slot)]
      if t < 0 { target.load(r, wanted, slot) } else { target.load(r, wanted, from: transfers[Int(t)]) }
      bind(r, slot, wanted, k)
    }
    pinned |= bit(r)
    return r
  }

  @inline(__always) private func bind(_ r: Int, _ slot: Int32, _ k: Kind, _ when: Int32) {
    register[Int(slot)] = Int8(truncatingIfNeeded: r)
    owner[r] = slot
    kind[r] = k
    far[r] = when
  }

  /// -1 - slot where it is better read from its home: it is not in a register and not worth one.
  @inline(__always) private mutating func fold(_ slot: Int32, _ wanted: Kind, _ after: Int32, _ k: Int32, _ end: Int32) -> Int {
    if register[Int(slot)] < 0, source[Int(slot)] < 0 {
      if after >= end { return -1 - Int(slot) }
      if free == 0 {
        var last: Int32 = -1
        for r in 0 ..< T.registers where pinned & bit(r) == 0 { last = max(last, far[r]) }
        if after >= last { return -1 - Int(slot) }
      }
    }
    return hold(slot, wanted, k)
  }

  /// A value in memory only.
  private mutating func home(_ slot: Int32) -> Int {
    let r = Int(register[Int(slot)])
    if r >= 0 {
      spill(r)
      drop(r)
    }
    return -1 - Int(slot)
  }

  /// After its reading: keeps a value that is read again, stores one that must only be there at the end.
  @inline(__always) private mutating func settle(_ slot: Int32, _ after: Int32, _ end: Int32) {
    let r = Int(register[Int(slot)])
    if r < 0 { return }
    if after < end {
      far[r] = after
      return
    }
    if after == end { spill(r) }
    drop(r)
  }

  // MARK: instructions

  private mutating func inline(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ end: Int32) {
    let demand = demands[Int(i.code)], arity = o.pointee.arity, k: Int32 = -1
    pinned = 0
    var x = 0, y = 0, z = 0
    if o.pointee.x.rawValue > Kind.mask.rawValue { x = home(i.x) } else { x = hold(i.x, o.pointee.x, k) }
    if arity > 1 { y = demand.folds == 1 ? fold(i.y, o.pointee.y, u.y, k, end) : hold(i.y, o.pointee.y, k) }
    if arity > 2 { z = demand.folds == 2 ? fold(i.z, o.pointee.z, u.z, k, end) : hold(i.z, o.pointee.z, k) }
    var d = 0, t = 0, v = 0
    if demand.early {
      if demand.temporaries > 0 { t = take(); pinned |= bit(t) }
      if demand.temporaries > 1 { v = take(); pinned |= bit(v) }
      d = take()
      if demand.temporaries > 0 { free |= bit(t) }
      if demand.temporaries > 1 { free |= bit(v) }
    }
    settle(i.x, u.x, end)
    if arity > 1 { settle(i.y, u.y, end) }
    if arity > 2 { settle(i.z, u.z, end) }
    if !demand.early {
      pinned = 0
      d = take()
    }
    target.emit(o.pointee, d, x, y, z, t, v)
    settle(new: d, i.out, o.pointee.out, u.w, end)
  }

  /// A result in register r: kept there, or stored if it is only wanted at the end.
  @inline(__always) private mutating func settle(new r: Int, _ slot: Int32, _ k: Kind, _ after: Int32, _ end: Int32) {
    source[Int(slot)] = -1
    if after < end {
      bind(r, slot, k, after)
      dirty |= bit(r)
    } else {
      target.store(r, k, slot)
      free |= bit(r)
    }
  }

  private mutating func call(_ kernel: UInt, _ arity: UInt8, _ x: Spot, _ y: Spot, _ z: Spot, _ out: Int32) {
    call(kernel, arity, x, y, z, to: .slot(out))
    source[Int(out)] = -1
  }

  private mutating func call(_ kernel: UInt, _ arity: UInt8, _ x: Spot, _ y: Spot, _ z: Spot, to out: Spot) {
    empty()
    target.call(kernel, arity: arity, x, y, z, out, count: 1)
  }
  /// Every value goes home.
  private mutating func empty() {
    var held = ~free & Self.all
    while held != 0 {
      let r = held.trailingZeroBitCount
      held &= held - 1
      spill(r)
      register[Int(owner[r])] = -1
    }
    free = Self.all
  }
  private func entry(_ i: ck_instr, _ o: UnsafePointer<Operation>) -> UInt { kernel.map { $0(Int(i.code)) } ?? o.pointee.kernel }

  /// Where a slot's value is while no register holds it.
  @inline(__always) private func spot(_ slot: Int32) -> Spot {
    let t = source[Int(slot)]
    return t < 0 ? .slot(slot) : .outside(transfers[Int(t)])
  }

  private mutating func load(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ end: Int32) {
    let t = transfers[Int(i.x)]
    if o.pointee.calls { return call(entry(i, o), 1, .outside(t), .outside(t), .outside(t), i.out) }
    // Integers are read from their homes.
    if !eager, o.pointee.a == CK_F64 || o.pointee.a == CK_F32 || o.pointee.a == CK_BOOL {
      source[Int(i.out)] = i.x
      return
    }
    pinned = 0
    let r = take()
    target.load(r, o.pointee.out, from: t)
    settle(new: r, i.out, o.pointee.out, u.w, end)
  }

  private mutating func store(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ end: Int32) {
    let t = transfers[Int(i.y)]
    if o.pointee.calls { return call(entry(i, o), 1, spot(i.x), spot(i.x), spot(i.x), to: .outside(t)) }
    pinned = 0
    let r = hold(i.x, o.pointee.x, -1)
    target.store(r, o.pointee.x, to: t)
    settle(i.x, u.x, end)
  }

  private mutating func pair(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ end: Int32) {
    pinned = 0
    let x = hold(i.x, o.pointee.x, -1), z = hold(i.z, o.pointee.z, -1), both = take()
    target.store(x, z, both, o.pointee.x, to: transfers[Int(i.y)])
    free |= bit(both)
    settle(i.x, u.x, end)
    settle(i.z, u.z, end)
  }

  private mutating func fill(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ end: Int32) {
    pinned = 0
    if filling.slot != i.x { endFills() }
    // The spreading register is in nobody's hands: neither free nor anyone's to give up.
    let r = hold(i.x, o.pointee.x, -1)
    if filling.slot < 0 {
      filling = (i.x, take())
      far[filling.register] = -1
      target.spread(r, o.pointee.x, into: filling.register)
    }
    target.fill(r, filling.register, o.pointee.x, transfers[Int(i.y)], count: Int(i.z))
    settle(i.x, u.x, end)
  }

  @inline(__always) private mutating func endFills() {
    if filling.slot < 0 { return }
    free |= bit(filling.register)
    filling.slot = -1
  }
}
