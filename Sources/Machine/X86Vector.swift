/// The instructions of x86-64 that loops over vectors need: VEX with 16 registers of 32 bytes (AVX2), or EVEX with 32 of 64
/// bytes and mask registers (AVX-512). A length is 0, 1 or 2 for 16, 32 or 64 bytes.
struct X86Vector {
  typealias Prefix = X86.Prefix
  enum Comparison: UInt64 { case eq = 0, lt = 1, le = 2, unordered = 3, ne = 4, notLE = 6, ordered = 7, neOrdered = 12, ge = 13, gt = 14 }
  typealias Rounding = X86.Rounding
  enum General: UInt64 { case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 }
  enum Literal: Int, CaseIterable { case zero, sign64, rest64, one64, sign32, rest32, one32, ones }

  enum Place { case register(Int), memory(VectorAddress), literal(Literal) }

  var buffer: CodeBuffer
  let wide: Bool
  var lanes = 0, copies = 1
  /// Masks have lanes of 64 bits (AVX2); loads and stores reach only the lanes in k6 (AVX-512).
  var long = true, partial = false
  var streaming = false

  /// Constants lie first, 64 bytes each; code starts behind them.
  init(_ buffer: CodeBuffer, wide: Bool) {
    self.buffer = buffer
    self.wide = wide
    for l in Literal.allCases {
      let v: UInt64 = switch l {
      case .zero: 0
      case .sign64: 1 << 63
      case .rest64: ~(1 << 63)
      case .one64: (1.0).bitPattern
      case .sign32: 0x8000_0000_8000_0000
      case .rest32: 0x7FFF_FFFF_7FFF_FFFF
      case .one32: 0x3F80_0000_3F80_0000
      case .ones: ~0
      }
      for _ in 0 ..< 8 { self.buffer.put(v, 8) }
    }
  }

  // MARK: prefixes

  /// op reg, v, rm as VEX or, on the wide machine, EVEX. `tuple`: the bytes that `rm` names, by which short displacements count.
  @inline(__always)
  mutating func op(_ map: UInt64, _ prefix: Prefix, _ code: UInt64, _ length: Int, _ reg: Int, _ v: Int, _ rm: Place, w: Bool = false,
                   k: Int = 0, zeroing: Bool = false, tuple: Int = 0, immediate: UInt64? = nil) {
    if wide {
      evex(map, prefix, code, length, reg, v, rm, w: w, k: k, zeroing: zeroing, tuple: tuple, immediate: immediate)
    } else {
      vex(map, prefix, code, length, reg, v, rm, w: false, immediate: immediate)
    }
  }

  mutating func vex(_ map: UInt64, _ prefix: Prefix, _ code: UInt64, _ length: Int, _ reg: Int, _ v: Int, _ rm: Place, w: Bool, immediate: UInt64? = nil) {
    var base = false
    switch rm {
    case .register(let r): base = r >= 8
    case .memory(let a): base = a.base >= 8
    case .literal: break
    }
    let r: UInt64 = reg < 8 ? 0x80 : 0, vp = UInt64(~v & 15) << 3 | UInt64(length & 1) << 2 | prefix.rawValue
    if map == 1 && !w && !base {
      buffer.put(0xC5 | (r | vp) << 8 | code << 16, 3)
    } else {
      buffer.put(0xC4 | (r | 0x40 | (base ? 0 : 0x20) | map) << 8 | ((w ? 0x80 : 0) | vp) << 16 | code << 24, 4)
    }
    operand(reg, rm, 1 << 30, immediate == nil ? 0 : 1)
    if let immediate { buffer.put(immediate, 1) }
  }

  mutating func evex(_ map: UInt64, _ prefix: Prefix, _ code: UInt64, _ length: Int, _ reg: Int, _ v: Int, _ rm: Place, w: Bool,
                     k: Int = 0, zeroing: Bool = false, tuple: Int = 0, immediate: UInt64? = nil) {
    var b: UInt64 = 0x20, x: UInt64 = 0x40, spread: UInt64 = 0
    switch rm {
    case .register(let r):
      if r & 8 != 0 { b = 0 }
      if r & 16 != 0 { x = 0 }
    case .memory(let a):
      if a.base >= 8 { b = 0 }
      if a.spread { spread = 0x10 }
    case .literal: break
    }
    let p0 = (reg & 8 == 0 ? 0x80 : 0) | x | b | (reg & 16 == 0 ? 0x10 : 0) | map
    let p1 = (w ? 0x80 : 0) | UInt64(~v & 15) << 3 | 4 | prefix.rawValue
    let p2 = (zeroing ? 0x80 : 0) | UInt64(length) << 5 | spread | (v & 16 == 0 ? 8 : 0) | UInt64(k)
    buffer.put(0x62 | p0 << 8 | p1 << 16 | p2 << 24 | code << 32, 5)
    operand(reg, rm, max(tuple, 1), immediate == nil ? 0 : 1)
    if let immediate { buffer.put(immediate, 1) }
  }

  /// ModRM, SIB and displacement, of one byte in multiples of `unit` where it fits (1 << 30: VEX, in bytes); `tail` bytes follow.
  private mutating func operand(_ reg: Int, _ rm: Place, _ unit: Int, _ tail: Int) {
    let field = UInt64(reg & 7) << 3
    switch rm {
    case .register(let r): buffer.put(0xC0 | field | UInt64(r & 7), 1)
    case .literal(let l):
      buffer.put(0x05 | field, 1)
      buffer.put(UInt64(truncatingIfNeeded: l.rawValue * 64 - (buffer.count + 4 + tail)), 4)
    case .memory(let a):
      let base = UInt64(a.base & 7), unit = unit == 1 << 30 ? 1 : unit
      let short = a.displacement % unit == 0 && a.displacement / unit == Int(Int8(truncatingIfNeeded: a.displacement / unit))
      let mode: UInt64 = a.displacement == 0 && base != 5 ? 0 : short ? 0x40 : 0x80
      if a.scale >= 0 {
        buffer.put(mode | field | 4 | (UInt64(a.scale) << 6 | 6 << 3 | base) << 8, 2)
      } else if base == 4 {
        buffer.put(mode | field | 4 | 0x24 << 8, 2)
      } else {
        buffer.put(mode | field | base, 1)
      }
      if mode == 0x40 { buffer.put(UInt64(truncatingIfNeeded: a.displacement / unit), 1) }
      if mode == 0x80 { buffer.put(UInt64(truncatingIfNeeded: a.displacement), 4) }
    }
  }

  // MARK: vector registers

  /// The bytes that arithmetic of this length takes from `m`.
  @inline(__always) private func tuple(_ m: Place, _ length: Int, _ f32: Bool) -> Int {
    if case .memory(let a) = m, a.spread { return f32 ? 4 : 8 }
    return 16 << length
  }
  @inline(__always) private func packed(_ f32: Bool) -> Prefix { f32 ? .none : .p66 }

  /// add 58, mul 59, sub 5C, min 5D, div 5E, max 5F, and 54, and-not 55, or 56, xor 57.
  @inline(__always)
  mutating func arithmetic(_ code: UInt64, _ length: Int, _ d: Int, _ a: Int, _ b: Place, f32: Bool, k: Int = 0, zeroing: Bool = false) {
    op(1, packed(f32), code, length, d, a, b, w: !f32, k: k, zeroing: zeroing, tuple: tuple(b, length, f32))
  }
  mutating func sqrt(_ length: Int, _ d: Int, _ a: Place, f32: Bool) { op(1, packed(f32), 0x51, length, d, 0, a, w: !f32, tuple: tuple(a, length, f32)) }
  mutating func move(_ length: Int, _ d: Int, _ a: Place, f32: Bool = false, k: Int = 0, zeroing: Bool = false) {
    op(1, packed(f32), 0x28, length, d, 0, a, w: !f32, k: k, zeroing: zeroing, tuple: 16 << length)
  }
  mutating func load(_ length: Int, _ d: Int, _ m: Place, f32: Bool, k: Int = 0) {
    op(1, packed(f32), 0x10, length, d, 0, m, w: !f32, k: k, zeroing: k != 0, tuple: 16 << length)
  }
  mutating func store(_ length: Int, _ s: Int, _ m: Place, f32: Bool, k: Int = 0) {
    op(1, packed(f32), 0x11, length, s, 0, m, w: !f32, k: k, tuple: 16 << length)
  }
  /// Past the caches; aligned.
  mutating func stream(_ length: Int, _ s: Int, _ m: Place, f32: Bool) { op(1, packed(f32), 0x2B, length, s, 0, m, w: !f32, tuple: 16 << length) }
  mutating func spread(_ length: Int, _ d: Int, _ m: Place, f32: Bool) { op(2, .p66, f32 ? 0x18 : 0x19, length, d, 0, m, w: !f32, tuple: f32 ? 4 : 8) }
  mutating func round(_ mode: Rounding, _ length: Int, _ d: Int, _ a: Place, f32: Bool) {
    op(3, .p66, f32 ? 8 : 9, length, d, 0, a, w: !f32, tuple: tuple(a, length, f32), immediate: mode.rawValue)
  }
  /// Into a mask register on the wide machine, otherwise into a vector.
  mutating func compare(_ c: Comparison, _ length: Int, _ d: Int, _ a: Int, _ b: Place, f32: Bool, k: Int = 0) {
    op(1, packed(f32), 0xC2, length, d, a, b, w: !f32, k: k, tuple: tuple(b, length, f32), immediate: c.rawValue)
  }
  /// d = mask ? b : a, lane by lane, AVX2.
  mutating func blend(_ length: Int, _ d: Int, _ a: Int, _ b: Place, mask: Int, f32: Bool) {
    vex(3, .p66, f32 ? 0x4A : 0x4B, length, d, a, b, w: false, immediate: UInt64(mask) << 4)
  }
  /// The same, AVX-512.
  mutating func blend(_ length: Int, _ d: Int, _ a: Int, _ b: Place, k: Int, f32: Bool) {
    op(2, .p66, 0x65, length, d, a, b, w: !f32, k: k, tuple: tuple(b, length, f32))
  }
  /// Lengths are those of the longer side.
  mutating func toF32(_ length: Int, _ d: Int, _ a: Int) { op(1, .p66, 0x5A, length, d, 0, .register(a), w: true) }
  mutating func toF64(_ length: Int, _ d: Int, _ a: Int) { op(1, .none, 0x5A, length, d, 0, .register(a)) }
  mutating func fromI32(_ length: Int, _ d: Int, _ a: Int, f32: Bool) { op(1, f32 ? .none : .pF3, f32 ? 0x5B : 0xE6, length, d, 0, .register(a)) }
  /// AVX-512.
  mutating func fromI64(_ length: Int, _ d: Int, _ a: Int, f32: Bool) { op(1, f32 ? .none : .pF3, f32 ? 0x5B : 0xE6, length, d, 0, .register(a), w: true) }
  /// The lanes of a that are infinite or NaN, AVX-512.
  mutating func unbounded(_ length: Int, k: Int, _ a: Int, f32: Bool) { evex(3, .p66, 0x66, length, k, 0, .register(a), w: !f32, immediate: 0x99) }

  // MARK: masks

  /// AVX-512: and 41, and-not 42 (not a, and b), not 44, or 45, xor 47, of 16 bits; a not has one operand.
  mutating func masks(_ code: UInt64, _ d: Int, _ a: Int, _ b: Int) { vex(1, .none, code, code == 0x44 ? 0 : 1, d, code == 0x44 ? 0 : a, .register(b), w: false) }
  mutating func moveMask(_ d: Int, _ a: Place) { vex(1, .none, 0x90, 0, d, 0, a, w: false) }
  mutating func storeMask(_ s: Int, _ m: Place) { vex(1, .none, 0x91, 0, s, 0, m, w: false) }
  mutating func maskFromR11(_ d: Int) { vex(1, .none, 0x92, 0, d, 0, .register(11), w: false) }
  /// Bytes that are not 0 become mask bits, mask bits bytes of 1; 8 or 16 of them, through a vector register. AVX-512.
  mutating func bytes(load t: Int, _ m: Place, k: Int) {
    if k == 0, lanes == 8 { evex(1, .pF3, 0x7E, 0, t, 0, m, w: true, tuple: 8) } else { evex(1, .pF2, 0x6F, 0, t, 0, m, w: false, k: k, zeroing: k != 0, tuple: 16) }
  }
  mutating func bytes(store t: Int, _ m: Place, k: Int) {
    if k == 0, lanes == 8 { evex(1, .p66, 0xD6, 0, t, 0, m, w: true, tuple: 8) } else { evex(1, .pF2, 0x7F, 0, t, 0, m, w: false, k: k, tuple: 16) }
  }
  mutating func maskFromBytes(_ d: Int, _ a: Int) { evex(2, .p66, 0x26, 0, d, a, .register(a), w: false) }
  mutating func bytesFromMask(_ d: Int, _ a: Int) {
    evex(2, .pF3, 0x28, 0, d, 0, .register(a), w: false)
    evex(2, .p66, 0x1C, 0, d, 0, .register(d), w: false)
  }

  // MARK: masks as vectors, AVX2

  /// The bytes at `m`, widened to lanes of 64 or 32 bits, then all ones where they were not 0.
  mutating func maskFromBytes(_ d: Int, _ m: Place) {
    vex(2, .p66, long ? 0x32 : 0x31, 1, d, 0, m, w: false)
    vex(long ? 2 : 1, .p66, long ? 0x37 : 0x66, 1, d, d, .literal(.zero), w: false)
  }
  /// Bytes of 1 where lanes are all ones: 4 or 8 of them. t changes.
  mutating func storeBytes(_ s: Int, _ m: Place, _ t: Int) {
    vex(3, .p66, 0x39, 1, s, 0, .register(t), w: false, immediate: 1)         // upper half
    vex(1, .p66, 0x6B, 0, t, s, .register(t), w: false)                       // to 16 bits
    if long { vex(1, .p66, 0x6B, 0, t, t, .register(t), w: false) }
    vex(1, .p66, 0x63, 0, t, t, .register(t), w: false)                       // to 8
    vex(2, .p66, 0x1C, 0, t, 0, .register(t), w: false)                       // |-1|
    if long { vex(1, .p66, 0x7E, 0, t, 0, m, w: false) } else { vex(1, .p66, 0xD6, 0, t, 0, m, w: false) }
  }
  /// Lanes of 32 bits to 64, and back.
  mutating func widenMask(_ d: Int, _ a: Int) { vex(2, .p66, 0x25, 1, d, 0, .register(a), w: false) }
  mutating func narrowMask(_ d: Int, _ a: Int) {
    vex(3, .p66, 0x19, 1, a, 0, .register(d), w: false, immediate: 1)
    vex(1, .none, 0xC6, 0, d, a, .register(d), w: false, immediate: 0x88)
  }

  // MARK: general registers

  private mutating func rex(_ reg: General, _ base: General) -> UInt64 { 0x48 | (reg.rawValue >> 3) << 2 | base.rawValue >> 3 }
  /// d = [rdi + 8 index]
  mutating func pointer(_ d: General, _ index: Int) {
    buffer.put(rex(d, .rdi) | 0x8B << 8, 2)
    operand(Int(d.rawValue), .memory(VectorAddress(base: 7, displacement: index * 8)), 1 << 30, 0)
  }
  mutating func push(_ r: General) { if r.rawValue >= 8 { buffer.put(0x41 | (0x50 | r.rawValue & 7) << 8, 2) } else { buffer.put(0x50 | r.rawValue, 1) } }
  mutating func pop(_ r: General) { if r.rawValue >= 8 { buffer.put(0x41 | (0x58 | r.rawValue & 7) << 8, 2) } else { buffer.put(0x58 | r.rawValue, 1) } }
  /// rax = rsi + n, compared with rdx.
  mutating func ahead(_ n: Int) {
    buffer.put(0x868D48, 3)
    buffer.put(UInt64(n), 4)
    buffer.put(0xD03948, 3)
  }
  mutating func compareIndex() { buffer.put(0xD63948, 3) }
  mutating func advance(_ n: Int) {
    buffer.put(0xC68148, 3)
    buffer.put(UInt64(n), 4)
  }
  /// rax = rdx - rsi, compared with 0.
  mutating func remaining() {
    buffer.put(0xD08948, 3)
    buffer.put(0xF02948, 3)
  }
  /// k6 = the lanes below rax, all where there are more.
  mutating func countLanes() {
    buffer.put(0xFFCB8341, 4)          // or r11d, -1
    vex(2, .none, 0xF5, 0, 11, 0, .register(11), w: false)   // bzhi r11d, r11d, eax
    maskFromR11(6)
  }
  /// rax = the address, of which flags show whether 64 divides it.
  mutating func testAlignment(_ a: VectorAddress) {
    buffer.put(0x48 | UInt64(a.base >> 3) | 0x8D << 8, 2)
    operand(0, .memory(a), 1 << 30, 0)
    buffer.put(0x3FA8, 2)
  }
  mutating func fence() { buffer.put(0xF8AE0F, 3) }
  enum Condition: UInt64 { case notEqual = 0x85, greaterOrEqual = 0x8D, lessOrEqual = 0x8E, greater = 0x8F }
  /// A jump whose target is patched; where its displacement stands.
  mutating func jump(_ c: Condition) -> Int {
    buffer.put(0x0F | c.rawValue << 8, 6)
    return buffer.count - 4
  }
  mutating func jump(_ c: Condition, to target: Int) { buffer.patch(jump(c), target) }
  mutating func jump(to target: Int) {
    buffer.put(0xE9, 5)
    buffer.patch(buffer.count - 4, target)
  }
  mutating func clearUpper() { buffer.put(0x77F8C5, 3) }
  mutating func ret() { buffer.put(0xC3, 1) }
  mutating func trap() { buffer.put(0xCC, 1) }
}
