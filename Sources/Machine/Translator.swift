import CKernels

/// Straight-line code over slots becomes machine code. Every value's home is its own slot: a spill stores it there, a reload reads
/// it from there, and a value that dies in a register is never stored. The register whose value is read furthest ahead is given up
/// first; one backward pass knows when that is. Time and memory are linear in the instructions.
struct Translator<T: Target> {
  var target: T
  private let table = Operations.table, known = Operations.count
  // By slot: the register that holds it, -1 for none; the next instruction to read it. Both stand as made between parts.
  private let register: UnsafeMutablePointer<Int8>, next: UnsafeMutablePointer<Int32>
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
  private var free: UInt32 = 0, dirty: UInt32 = 0, pinned: UInt32 = 0
  /// Kernels to call instead of this process's (tests of other instruction sets).
  var kernel: ((Int) -> UInt)?

  private static var never: Int32 { Int32.max }
  private static var all: UInt32 { UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(T.registers)) - 1) }
  private static var margin: Int { 512 + T.longest + 24 * T.registers }

  /// Nil when memory is refused.
  init?(_ target: T, slots: Int, longest: Int) {
    func make<E>(_ n: Int, _ e: E) -> UnsafeMutablePointer<E>? {
      guard let p = ck_alloc(max(n, 1) * MemoryLayout<E>.stride)?.bindMemory(to: E.self, capacity: max(n, 1)) else { return nil }
      p.initialize(repeating: e, count: max(n, 1))
      return p
    }
    guard let register = make(slots, Int8(-1)) else { return nil }
    guard let next = make(slots, Int32.max) else { ck_free(register); return nil }
    guard let uses = ck_alloc(max(longest, 1) * 16)?.bindMemory(to: SIMD4<Int32>.self, capacity: max(longest, 1)) else {
      ck_free(register)
      ck_free(next)
      return nil
    }
    self.target = target
    self.register = register
    self.next = next
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
    ck_free(uses)
    owner.deallocate()
    far.deallocate()
    kind.deallocate()
    demands.deallocate()
  }

  // MARK: a part

  /// Where the part begins; nil when memory is refused or an instruction is none. After it, the slots in `kept` hold their values.
  mutating func part(_ code: UnsafePointer<ck_instr>?, _ count: Int, kept: UnsafeBufferPointer<Int32>) -> Int? {
    // Not read where count is 0.
    let code = code ?? UnsafePointer(UnsafeRawPointer(uses).assumingMemoryBound(to: ck_instr.self))
    guard count <= capacity, look(code, count, kept) else { return nil }
    free = Self.all
    dirty = 0
    pinned = 0
    guard room() else { return nil }
    target.align()
    let start = target.buffer.count
    target.enter(calls: calls)
    for k in 0 ..< count {
      let u = uses[k]
      if u.w == Self.never { continue }
      guard room() else { return nil }
      let i = code[k], o = table + Int(i.code)
      if o.pointee.op == .call { call(i, o, u, count) } else { inline(i, o, u, Int32(count)) }
    }
    target.leave()
    for k in 0 ..< count {
      let i = code[k]
      next[Int(i.x)] = Self.never
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
      guard Int(i.code) < known, UInt32(bitPattern: i.x) < n, UInt32(bitPattern: i.y) < n, UInt32(bitPattern: i.z) < n,
            UInt32(bitPattern: i.out) < n else { return false }
      let arity = table[Int(i.code)].arity
      if arity == 0 { return false }
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
      target.load(r, wanted, slot)
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
    if register[Int(slot)] < 0 {
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
    if u.w < end {
      bind(d, i.out, o.pointee.out, u.w)
      dirty |= bit(d)
    } else {
      target.store(d, o.pointee.out, i.out)
      free |= bit(d)
    }
  }

  private mutating func call(_ i: ck_instr, _ o: UnsafePointer<Operation>, _ u: SIMD4<Int32>, _ count: Int) {
    var held = ~free & Self.all
    while held != 0 {
      let r = held.trailingZeroBitCount
      held &= held - 1
      spill(r)
      register[Int(owner[r])] = -1
    }
    free = Self.all
    let arity = o.pointee.arity
    target.call(kernel.map { $0(Int(i.code)) } ?? o.pointee.kernel, arity: arity, i.x, arity > 1 ? i.y : 0, arity > 2 ? i.z : 0, i.out)
  }
}
