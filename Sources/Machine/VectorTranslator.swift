import CKernels

/// Straight-line code over values becomes a loop over vectors: each iteration computes all of it for `lanes` elements, or for a few
/// such groups side by side. As in `Translator` the register whose value is read furthest ahead is given up first; values that lie in
/// memory are read again from there, results are stored where they are computed, the others have places among the spills, which are
/// given back when the value dies.
struct VectorTranslator<T: VectorTarget> {
  var target: T
  private let table = Operations.table, known = Operations.count
  private let values: Int
  // By value; as made between parts. The register that holds it (64 and above: held all through, that physical one), -1 for none; the
  // next instruction to read it; where it lies: `memory`, `nowhere`, or its number among the spills.
  private let register: UnsafeMutablePointer<Int8>, next: UnsafeMutablePointer<Int32>, home: UnsafeMutablePointer<Int32>
  /// By instruction: when x, y, z and the result are read after it; whether the result is stored to memory.
  private let uses: UnsafeMutablePointer<SIMD4<Int32>>, stored: UnsafeMutablePointer<Bool>
  private let capacity: Int
  // By logical register; masks in registers of their own begin at 32.
  private let owner: UnsafeMutablePointer<Int32>, far: UnsafeMutablePointer<Int32>, kind: UnsafeMutablePointer<Kind>
  /// An instruction wants more registers than there are; `streamingBody`: stores go past the caches.
  private var stuck = false, streamingBody = false
  private var free: UInt64 = 0, dirty: UInt64 = 0, pinned: UInt64 = 0
  private var vectors: UInt64 = 0, maskRegisters: UInt64 = 0
  // Spills: those given back, and how many there were at most.
  private var spare: [Int32] = [], released: [Int32] = []
  private var spills: Int32 = 0, mostSpills = 0

  // Of the part.
  private var code: UnsafePointer<ck_instr>
  private var count = 0
  private var at: UnsafePointer<VectorValue>
  /// By pointer that has a register: its entry of the table.
  private var pointers: [Int32] = []
  /// Numbers that stay in registers, from the last one down.
  private var fixed: [(value: Int32, kind: Kind)] = []
  private var live = 0, mostMasks = 0, temporaries = 0, heldNumbers = 0

  private static var never: Int32 { Int32.max }
  private static var memory: Int32 { -1 }
  private static var nowhere: Int32 { -2 }
  /// While the code is looked at: to be stored.
  private static var wanted: Int32 { -3 }
  private static var margin: Int { 1024 + 4 * T.longest }

  /// Nil when memory is refused. `longest` instructions are the most of a part.
  init?(_ target: T, values: Int, longest: Int) {
    var made: [UnsafeMutableRawPointer] = []
    func make<E>(_ n: Int, _ e: E) -> UnsafeMutablePointer<E>? {
      guard let raw = ck_alloc(max(n, 1) * MemoryLayout<E>.stride) else { return nil }
      made.append(raw)
      let p = raw.bindMemory(to: E.self, capacity: max(n, 1))
      p.initialize(repeating: e, count: max(n, 1))
      return p
    }
    guard let register = make(values, Int8(-1)), let next = make(values, Int32.max), let home = make(values, Self.memory),
          let uses = make(longest, SIMD4<Int32>()), let stored = make(longest, false), let owner = make(64, Int32(-1)), let far = make(64, Int32.max),
          let kind = make(64, Kind.f64) else {
      for p in made { ck_free(p) }
      return nil
    }
    self.target = target
    self.values = values
    self.register = register
    self.next = next
    self.home = home
    self.uses = uses
    self.stored = stored
    capacity = longest
    self.owner = owner
    self.far = far
    self.kind = kind
    code = UnsafePointer(UnsafeRawPointer(uses).assumingMemoryBound(to: ck_instr.self))
    at = UnsafePointer(UnsafeRawPointer(uses).assumingMemoryBound(to: VectorValue.self))
  }

  func release() {
    for p in [UnsafeMutableRawPointer(register), UnsafeMutableRawPointer(next), UnsafeMutableRawPointer(home), UnsafeMutableRawPointer(uses), UnsafeMutableRawPointer(stored), UnsafeMutableRawPointer(owner),
              UnsafeMutableRawPointer(far), UnsafeMutableRawPointer(kind)] { ck_free(p) }
  }

  // MARK: a part

  /// Where the part begins, the bytes of its spills, and how many elements it works on at a time; nil when memory is refused or
  /// an instruction is none.
  mutating func part(_ p: VectorCode.Part) -> (start: Int, spills: Int, lanes: Int)? {
    guard p.count > 0, p.count <= capacity, let code = p.code else { return nil }
    self.code = code
    at = p.values
    count = p.count
    defer { forget(p.kept) }
    guard look(p.kept), room() else { return nil }
    target.lanes = target.width / (target.long ? 8 : 4)
    chooseCopies(p)
    choosePointers(p.spills)
    target.align()
    let start = target.buffer.count
    target.enter(pointers.count)
    target.pointer(T.spills, p.spills)
    for k in 0 ..< pointers.count { target.pointer(target.pointers[k], pointers[k]) }
    for (k, f) in fixed.enumerated() {
      let r = target.registers - 1 - k
      target.load(r, f.kind, locate(f.value, f.kind).first, 0)
      register[Int(f.value)] = Int8(64 + r)
    }
    mostSpills = 0
    let copies = target.copies
    guard stream(p) else { return nil }
    target.copies = copies
    if p.elements >= copies * target.lanes, copies > 1 || target.masksTheRest {
      let l = target.loop(copies * target.lanes)
      guard body() else { return nil }
      target.again(copies * target.lanes, l)
    }
    // What is left has latencies to hide too, where the code is short.
    var fewer = copies / 2
    while fewer > 1, count <= 100, p.multiple % (2 * fewer * target.lanes) != 0 {
      target.copies = fewer
      let l = target.loop(fewer * target.lanes)
      guard body() else { return nil }
      target.again(fewer * target.lanes, l)
      fewer /= 2
    }
    if p.multiple % (copies * target.lanes) != 0 || (copies == 1 && !target.masksTheRest) {
      target.copies = 1
      target.partial = target.masksTheRest
      let l = target.loopRest()
      let done = body()
      target.partial = false
      guard done else { return nil }
      target.againRest(l)
    }
    guard room() else { return nil }
    target.leave(pointers.count)
    return (start, mostSpills, target.lanes)
  }

  /// The loop once more, for results that are stored past the caches: runs where all of them are aligned.
  private mutating func stream(_ p: VectorCode.Part) -> Bool {
    var jumps: [Int] = []
    for k in 0 ..< count where stored[k] && at[Int(code[k].out)].streams {
      let d = table[Int(code[k].code)].out
      if d == .mask { continue }
      jumps.append(target.unlessAligned(locate(code[k].out, d).first))
    }
    if jumps.isEmpty { return true }
    let step = target.copies * target.lanes, l = target.loop(step)
    streamingBody = true
    defer { streamingBody = false }
    guard body() else { return false }
    target.again(step, l)
    target.fence()
    for j in jumps { target.land(j) }
    return true
  }

  private func forget(_ kept: UnsafeBufferPointer<Int32>) {
    func clear(_ v: Int32) {
      guard UInt32(bitPattern: v) < UInt32(values) else { return }
      next[Int(v)] = Self.never
      register[Int(v)] = -1
      home[Int(v)] = Self.memory
    }
    for k in 0 ..< count {
      clear(code[k].x)
      clear(code[k].y)
      clear(code[k].z)
      clear(code[k].out)
    }
    for v in kept { clear(v) }
  }

  /// When everything is read next, from the end to the beginning; how many values live at once; the width of elements.
  private mutating func look(_ kept: UnsafeBufferPointer<Int32>) -> Bool {
    let n = UInt32(truncatingIfNeeded: values), end = Int32(count)
    for v in kept {
      if UInt32(bitPattern: v) >= n || at[Int(v)].pointer < 0 { return false }
      next[Int(v)] = end
      home[Int(v)] = Self.wanted
    }
    target.long = false
    for k in 0 ..< count {
      guard Int(code[k].code) < known else { return false }
      let o = table[Int(code[k].code)]
      if !target.takes(o) { return false }
      for (n, d) in [(1, o.x), (2, o.y), (3, o.z), (1, o.out)] where o.arity >= n && (d == .f64 || d == .i64) { target.long = true }
    }
    live = 0
    mostMasks = 0
    temporaries = 0
    heldNumbers = 0
    fixed = []
    var now = 0, masks = 0
    let apart = target.masks(1) > 0
    func begins(_ v: Int32, _ d: Kind) {
      if at[Int(v)].one { return }
      if apart && d == .mask { masks += 1 } else { now += 1 }
    }
    func ends(_ v: Int32, _ d: Kind) { if apart && d == .mask { masks -= 1 } else { now -= 1 } }
    var k = count
    while k > 0 {
      k -= 1
      let i = code[k]
      guard UInt32(bitPattern: i.x) < n, UInt32(bitPattern: i.y) < n, UInt32(bitPattern: i.z) < n, UInt32(bitPattern: i.out) < n else { return false }
      let o = table + Int(i.code), arity = o.pointee.arity, after = next[Int(i.out)]
      stored[k] = home[Int(i.out)] == Self.wanted
      home[Int(i.out)] = Self.memory
      next[Int(i.out)] = Self.never
      var u = SIMD4<Int32>(Self.never, Self.never, Self.never, after)
      if after != Self.never {
        if after < end { ends(i.out, o.pointee.out) }
        let folds = target.folds(true) ? Int(target.demand(o.pointee).folds) : 0
        var numbers = at[Int(i.x)].one ? 1 : 0
        if arity > 1, folds != 1, at[Int(i.y)].one { numbers += 1 }
        if arity > 2, folds != 2, at[Int(i.z)].one { numbers += 1 }
        heldNumbers = max(heldNumbers, numbers)
        temporaries = max(temporaries, Int(target.demand(o.pointee).temporaries) + (target.borrows(o.pointee.out, storing: true) ? 2 : 1))
        u.x = next[Int(i.x)]
        if arity > 1 { u.y = next[Int(i.y)] }
        if arity > 2 { u.z = next[Int(i.z)] }
        if u.x >= end { begins(i.x, o.pointee.x) }
        if arity > 1, u.y >= end, i.y != i.x { begins(i.y, o.pointee.y) }
        if arity > 2, u.z >= end, i.z != i.x, i.z != i.y { begins(i.z, o.pointee.z) }
        if arity > 2 { next[Int(i.z)] = Int32(k) }
        if arity > 1 { next[Int(i.y)] = Int32(k) }
        next[Int(i.x)] = Int32(k)
        for (m, v, d) in [(1, i.x, o.pointee.x), (2, i.y, o.pointee.y), (3, i.z, o.pointee.z)] where arity >= m && at[Int(v)].one && register[Int(v)] == -1 {
          fixed.append((v, d))
          register[Int(v)] = 0
        }
      }
      uses[k] = u
      live = max(live, now)
      if apart, o.pointee.out == .mask || masks > 0 { mostMasks = max(mostMasks, masks + 1) }
    }
    for f in fixed { register[Int(f.value)] = -1 }
    for v in kept { home[Int(v)] = Self.memory }
    return true
  }

  /// As many groups side by side as registers allow, and of the numbers as many as are left for them.
  private mutating func chooseCopies(_ p: VectorCode.Part) {
    // Numbers that find no register of their own need one for an instruction, unless it reads them from memory.
    let need = live + temporaries + heldNumbers
    var copies = 8
    while copies > 1, need * copies > target.registers && (live + temporaries) * copies + fixed.count > target.registers || count * copies > 512 || p.elements < copies * target.lanes ||
          (mostMasks > 0 && mostMasks > target.masks(copies)) { copies /= 2 }
    target.copies = copies
    var room = max(target.registers - max((live + temporaries) * copies, 8), 0)
    if fixed.count > room { room = max(target.registers - max(need * copies, 8), 0) }
    if fixed.count > room { fixed.removeLast(fixed.count - room) }
  }

  /// The pointers that come first have registers.
  private mutating func choosePointers(_ spills: Int32) {
    pointers = []
    let most = target.pointers.count
    func add(_ v: Int32) {
      let p = at[Int(v)].pointer
      if p < 0 || at[Int(v)].one && !at[Int(v)].near || pointers.count == most || pointers.contains(p) { return }
      pointers.append(p)
    }
    for k in 0 ..< count where pointers.count < most {
      let i = code[k], arity = table[Int(i.code)].arity
      add(i.x)
      if arity > 1 { add(i.y) }
      if arity > 2 { add(i.z) }
      if stored[k] { add(i.out) }
    }
  }

  @inline(__always) private mutating func room() -> Bool {
    while target.buffer.room < Self.margin * 4 { if !target.buffer.grow() { return false } }
    return true
  }

  /// All instructions once, for `copies` groups.
  private mutating func body() -> Bool {
    let copies = target.copies, left = target.registers - fixed.count
    vectors = (1 << UInt64(left / copies)) - 1
    maskRegisters = ((1 << UInt64(target.masks(copies))) - 1) << 32
    free = vectors | maskRegisters
    dirty = 0
    pinned = 0
    spare.removeAll(keepingCapacity: true)
    spills = 0
    for r in 0 ..< 64 {
      owner[r] = -1
      far[r] = Self.never
    }
    for k in 0 ..< count {
      if uses[k].w == Self.never { continue }
      guard room() else { return false }
      if !instruction(k) || stuck { return false }
    }
    // The next body begins like this one.
    for k in 0 ..< count {
      home[Int(code[k].out)] = Self.memory
      for v in [code[k].x, code[k].y, code[k].z, code[k].out] where register[Int(v)] < 64 { register[Int(v)] = -1 }
    }
    return true
  }

  // MARK: places

  /// Where a value's elements are in memory for the first group, and how far on each further one is.
  private mutating func locate(_ v: Int32, _ d: Kind) -> (first: VectorAddress, step: Int) {
    let p = at[Int(v)].pointer
    var base = T.scratch
    if let k = pointers.firstIndex(of: p) { base = target.pointers[k] } else { target.pointer(base, p) }
    if at[Int(v)].one { return (VectorAddress(base: base, spread: true, displacement: Int(at[Int(v)].displacement)), 0) }
    let scale: Int8 = switch d {
    case .f64, .i64: 3
    case .f32, .i32: 2
    case .mask: 0
    }
    return (VectorAddress(base: base, scale: scale), target.lanes << Int(scale))
  }
  private func spilled(_ place: Int32, _ copy: Int) -> VectorAddress {
    VectorAddress(base: T.spills, displacement: (Int(place) * target.copies + copy) * target.width)
  }
  private func moved(_ a: VectorAddress, _ by: Int) -> VectorAddress {
    var b = a
    b.displacement += by
    return b
  }

  // MARK: registers

  @inline(__always) private func bit(_ r: Int) -> UInt64 { 1 << UInt64(truncatingIfNeeded: r) }
  @inline(__always) private func group(_ d: Kind) -> UInt64 { d == .mask && maskRegisters != 0 ? maskRegisters : vectors }
  /// The physical register of one copy.
  @inline(__always) private func physical(_ r: Int, _ copy: Int) -> Int { r >= 64 ? r - 64 : (r & 31) * target.copies + copy }

  /// A free register of the group, emptied if it must be.
  @inline(__always) private mutating func take(_ g: UInt64) -> Int {
    let f = free & g
    if f != 0 {
      let r = f.trailingZeroBitCount
      free &= ~bit(r)
      return r
    }
    var best = -1, when: Int32 = -1, left = g & ~pinned
    while left != 0 {
      let r = left.trailingZeroBitCount
      left &= left - 1
      if far[r] > when {
        when = far[r]
        best = r
      }
    }
    if best < 0 {
      stuck = true
      return g.trailingZeroBitCount & 63
    }
    spill(best)
    register[Int(owner[best])] = -1
    return best
  }

  private mutating func spill(_ r: Int) {
    if dirty & bit(r) == 0 { return }
    let v = Int(owner[r])
    if home[v] == Self.nowhere {
      if let s = spare.popLast() { home[v] = s } else {
        home[v] = spills
        spills += 1
        mostSpills = max(mostSpills, Int(spills) * target.copies * target.width)
      }
    }
    for c in 0 ..< target.copies { target.spill(physical(r, c), kind[r], spilled(home[v], c)) }
    dirty &= ~bit(r)
  }

  @inline(__always) private mutating func bind(_ r: Int, _ v: Int32, _ d: Kind, _ when: Int32) {
    register[Int(v)] = Int8(truncatingIfNeeded: r)
    owner[r] = v
    kind[r] = d
    far[r] = when
  }

  /// The register of an operand, which this instruction keeps; -1 where it is held as something else.
  private mutating func hold(_ v: Int32, _ d: Kind) -> Int {
    var r = Int(register[Int(v)])
    if r >= 64 { return r }
    if r >= 0, kind[r] != d { return -1 }
    if r < 0 {
      r = take(group(d))
      if home[Int(v)] >= 0 {
        for c in 0 ..< target.copies { target.reload(physical(r, c), d, spilled(home[Int(v)], c)) }
      } else {
        if at[Int(v)].pointer < 0 || home[Int(v)] == Self.nowhere { return -1 }
        pinned |= bit(r)
        let t = target.borrows(d, storing: false) ? take(vectors) : 0
        let (a, step) = locate(v, d)
        for c in 0 ..< target.copies { target.load(physical(r, c), d, moved(a, c * step), physical(t, c)) }
        if target.borrows(d, storing: false) { free |= bit(t) }
      }
      bind(r, v, d, 0)
    }
    pinned |= bit(r)
    return r
  }

  /// Whether an operand is better read from where it lies: it is in no register and not worth one.
  private func folds(_ v: Int32, _ after: Int32) -> Bool {
    if register[Int(v)] >= 0 { return false }
    if home[Int(v)] < 0, at[Int(v)].pointer < 0 || !target.folds(at[Int(v)].one) { return false }
    if at[Int(v)].one || after >= Int32(count) { return true }
    if free & vectors != 0 { return false }
    var last: Int32 = -1, left = vectors & ~pinned
    while left != 0 {
      let r = left.trailingZeroBitCount
      left &= left - 1
      last = max(last, far[r])
    }
    return after >= last
  }

  private struct Source {
    var register = -1
    var address = VectorAddress(base: 0), step = 0
    var folded = false
  }
  private mutating func source(_ v: Int32, _ d: Kind, _ after: Int32, fold: Bool) -> Source {
    if fold, folds(v, after) {
      if home[Int(v)] >= 0 { return Source(address: spilled(home[Int(v)], 0), step: target.width, folded: true) }
      let (a, step) = locate(v, d)
      return Source(address: a, step: step, folded: true)
    }
    return Source(register: hold(v, d))
  }
  private func operand(_ s: Source, _ copy: Int) -> VectorOperand {
    s.folded ? .memory(moved(s.address, copy * s.step)) : .register(physical(s.register, copy))
  }

  /// After its reading: keeps a value that is read again; what is kept for later is stored already.
  private mutating func settle(_ v: Int32, _ after: Int32) {
    let r = Int(register[Int(v)])
    if after < Int32(count) {
      if r >= 0, r < 64 { far[r] = after }
      return
    }
    if home[Int(v)] >= 0 {
      released.append(home[Int(v)])
      home[Int(v)] = Self.nowhere
    }
    if r < 0 || r >= 64 { return }
    register[Int(v)] = -1
    dirty &= ~bit(r)
    free |= bit(r)
  }

  /// False where the code is not sound.
  private mutating func instruction(_ k: Int) -> Bool {
    let i = code[k], o = table + Int(i.code), u = uses[k], demand = target.demand(o.pointee), arity = o.pointee.arity
    pinned = 0
    let x = hold(i.x, o.pointee.x)
    if x < 0 { return false }
    var y = Source(register: 0), z = Source(register: 0)
    if arity > 2, demand.folds == 1 { z = source(i.z, o.pointee.z, u.z, fold: false) }
    if arity > 1 { y = source(i.y, o.pointee.y, u.y, fold: demand.folds == 1) }
    if arity > 2, demand.folds != 1 { z = source(i.z, o.pointee.z, u.z, fold: demand.folds == 2) }
    if !y.folded && y.register < 0 || !z.folded && z.register < 0 { return false }
    var d = 0, t = 0, v = 0
    if demand.early {
      if demand.temporaries > 0 { t = take(vectors); pinned |= bit(t) }
      if demand.temporaries > 1 { v = take(vectors); pinned |= bit(v) }
      d = take(group(o.pointee.out))
      if demand.temporaries > 0 { free |= bit(t) }
      if demand.temporaries > 1 { free |= bit(v) }
    }
    settle(i.x, u.x)
    if arity > 1 { settle(i.y, u.y) }
    if arity > 2 { settle(i.z, u.z) }
    if !demand.early {
      pinned = 0
      d = take(group(o.pointee.out))
    }
    for c in 0 ..< target.copies {
      target.emit(o.pointee, physical(d, c), physical(x, c), operand(y, c), operand(z, c), physical(t, c), physical(v, c))
    }
    // Only now: an operand may have been read from there.
    spare.append(contentsOf: released)
    released.removeAll(keepingCapacity: true)
    if stored[k] {
      if at[Int(i.out)].pointer < 0 { return false }
      pinned = bit(d)
      let t = target.borrows(o.pointee.out, storing: true) ? take(vectors) : 0
      let (a, step) = locate(i.out, o.pointee.out)
      target.streaming = streamingBody && at[Int(i.out)].streams
      for c in 0 ..< target.copies { target.store(physical(d, c), o.pointee.out, moved(a, c * step), physical(t, c)) }
      target.streaming = false
      if target.borrows(o.pointee.out, storing: true) { free |= bit(t) }
    }
    home[Int(i.out)] = stored[k] ? Self.memory : Self.nowhere
    if u.w < Int32(count) {
      bind(d, i.out, o.pointee.out, u.w)
      if !stored[k] { dirty |= bit(d) }
    } else {
      free |= bit(d)
    }
    return true
  }
}
