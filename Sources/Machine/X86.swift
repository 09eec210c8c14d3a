import CKernels

/// The instructions of x86-64 with AVX that straight-line arithmetic needs. Slots are addressed from rdi, in parts that call
/// from rbx, which stands `origin` bytes above slot 0. The host's inputs and outputs are listed at rsi and
/// rdx, in parts that call at rbp and r14. Only 128-bit forms, fills apart: upper halves are clean outside. Where the machine has AVX-512, fills are of 64 bytes,
/// and short parts without calls are `silent`: their arithmetic names its rounding and raises nothing.
struct X86 {
  /// Where an operand is: a vector register, the home of a value, a constant before the code, bytes from a pointer (not rsp, r12, whose encoding differs).
  enum Place { case register(Int), home(Int32), literal(Literal), memory(General, Int32) }
  enum Literal: Int { case sign64, rest64, one64, sign32, rest32, one32, ones }
  enum Prefix: UInt64 { case none, p66, pF3, pF2 }
  enum Comparison: UInt64 { case eq = 0, lt = 1, le = 2, unordered = 3, ne = 4, ordered = 7, neOrdered = 12, ge = 13, gt = 14 }
  enum Rounding: UInt64 { case even = 8, floor = 9, ceil = 10, trunc = 11 }
  enum General: UInt64 { case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14 }

  var buffer: CodeBuffer
  var base = General.rdi, inputs = General.rsi, outputs = General.rdx
  /// Which pointer each of `pointers` holds (-1: none), and when it was used last.
  static let pointers: [General] = [.rcx, .r8, .r9, .r10, .r11]
  var pointed = SIMD8<Int64>(repeating: -1), used = SIMD8<Int64>(repeating: 0)
  var clock: Int64 = 0
  /// Bytes from slot 0 to the base: 32 slots about it are within reach of a displacement of one byte.
  var origin = 128
  /// AVX-512.
  var wide = ck_level() >= 2
  var silent = false
  /// Upper halves hold something.
  var widened = false
  mutating func forget() { pointed = SIMD8(repeating: -1) }

  /// Constants lie first, 16 bytes each; code starts behind them.
  static let literals: [(UInt64, UInt64)] = {
    func pair(_ v: UInt64) -> (UInt64, UInt64) { (v, v) }
    return [pair(1 << 63), pair(~(1 << 63)), pair((1.0).bitPattern), pair(0x8000_0000_8000_0000), pair(0x7FFF_FFFF_7FFF_FFFF),
            pair(0x3F80_0000_3F80_0000), pair(~0)]
  }()

  init(_ buffer: CodeBuffer) {
    self.buffer = buffer
    for (a, b) in X86.literals {
      self.buffer.put(a, 8)
      self.buffer.put(b, 8)
    }
  }

  // MARK: VEX

  /// op reg, v, rm. `immediate` holds `tail` bytes.
  @inline(__always)
  mutating func vex(_ map: UInt64, _ prefix: Prefix, _ op: UInt64, _ reg: Int, _ v: Int, _ rm: Place, wide: Bool = false, long: Bool = false,
                    immediate: UInt64 = 0, tail: Int = 0) {
    var high = false
    if case .register(let r) = rm { high = r >= 8 } else if case .memory(let p, _) = rm { high = p.rawValue >= 8 }
    let r: UInt64 = reg < 8 ? 0x80 : 0, vp = UInt64(~v & 15) << 3 | (long ? 4 : 0) | prefix.rawValue
    var w: UInt64, n: Int
    if map == 1 && !wide && !high {
      w = 0xC5 | (r | vp) << 8 | op << 16
      n = 3
    } else {
      w = 0xC4 | (r | 0x40 | (high ? 0 : 0x20) | map) << 8 | ((wide ? 0x80 : 0) | vp) << 16 | op << 24
      n = 4
    }
    operand(&w, &n, reg, rm, tail)
    if tail > 0 { buffer.put(immediate, tail) }
  }

  /// The ModRM byte and what follows it.
  @inline(__always)
  private mutating func operand(_ w: inout UInt64, _ n: inout Int, _ reg: Int, _ rm: Place, _ tail: Int) {
    let field = UInt64(reg & 7) << 3, shift = UInt64(n) * 8
    switch rm {
    case .register(let r):
      buffer.put(w | (0xC0 | field | UInt64(r & 7)) << shift, n + 1)
    case .home(let slot): memory(w, n, field, base, Int(slot) * 8 - origin)
    case .memory(let p, let d): memory(w, n, field, p, Int(d))
    case .literal(let k):
      buffer.put(w | (0x05 | field) << shift, n + 1)
      buffer.put(UInt64(truncatingIfNeeded: k.rawValue * 16 - (buffer.count + 4 + tail)), 4)
    }
  }
  @inline(__always)
  private mutating func memory(_ w: UInt64, _ n: Int, _ field: UInt64, _ p: General, _ d: Int) {
    let near = d == Int(Int8(truncatingIfNeeded: d)), mode: UInt64 = near ? 0x40 : 0x80
    buffer.put(w | (mode | p.rawValue & 7 | field) << (UInt64(n) * 8), n + 1)
    buffer.put(UInt64(truncatingIfNeeded: d), near ? 1 : 4)
  }
  @inline(__always) private func scalar(_ f32: Bool) -> Prefix { f32 ? .pF3 : .pF2 }

  // MARK: EVEX

  /// op reg, v, rm of 64 bytes or, `still`, of one number, rounded to nearest whatever the environment says. `unit`: the bytes that `rm` names, by which short displacements count.
  mutating func evex(_ map: UInt64, _ prefix: Prefix, _ op: UInt64, _ reg: Int, _ v: Int, _ rm: Place, w: Bool, length: UInt64, still: Bool = false, unit: Int) {
    var b: UInt64 = 0x20, x: UInt64 = 0x40
    switch rm {
    case .register(let r):
      if r & 8 != 0 { b = 0 }
      if r & 16 != 0 { x = 0 }
    case .memory(let p, _): if p.rawValue >= 8 { b = 0 }
    case .home, .literal: break
    }
    let p0 = (reg & 8 == 0 ? 0x80 : 0) | x | b | (reg & 16 == 0 ? 0x10 : 0) | map, p1 = (w ? 0x80 : 0) | UInt64(~v & 15) << 3 | 4 | prefix.rawValue
    let p2 = length << 5 | (still ? 0x10 : 0) | (v & 16 == 0 ? 8 : 0), field = UInt64(reg & 7) << 3
    buffer.put(0x62 | p0 << 8 | p1 << 16 | p2 << 24 | op << 32, 5)
    func reach(_ p: General, _ d: Int) {
      let near = d % unit == 0 && d / unit == Int(Int8(truncatingIfNeeded: d / unit))
      buffer.put((near ? 0x40 : 0x80) | p.rawValue & 7 | field, 1)
      buffer.put(UInt64(truncatingIfNeeded: near ? d / unit : d), near ? 1 : 4)
    }
    switch rm {
    case .register(let r): buffer.put(0xC0 | field | UInt64(r & 7), 1)
    case .home(let slot): reach(base, Int(slot) * 8 - origin)
    case .memory(let p, let d): reach(p, Int(d))
    case .literal(let k):
      buffer.put(0x05 | field, 1)
      buffer.put(UInt64(truncatingIfNeeded: k.rawValue * 16 - (buffer.count + 4)), 4)
    }
  }
  /// Arithmetic that neither reads nor writes the environment: of registers; xmm31 is nobody's.
  mutating func stillArithmetic(_ op: UInt64, _ d: Int, _ a: Int, _ b: Place, f32: Bool) {
    var b = b
    if case .register = b {} else {
      evex(1, scalar(f32), 0x10, 31, 0, b, w: !f32, length: 0, unit: f32 ? 4 : 8)
      b = .register(31)
    }
    evex(1, scalar(f32), op, d, a, b, w: !f32, length: 0, still: true, unit: 1)
  }

  // MARK: vector registers

  mutating func load(_ d: Int, _ m: Place, f32: Bool) { vex(1, scalar(f32), 0x10, d, 0, m) }
  mutating func store(_ s: Int, _ m: Place, f32: Bool) { vex(1, scalar(f32), 0x11, s, 0, m) }
  mutating func move(_ d: Int, _ s: Int) { vex(1, .none, 0x28, d, 0, .register(s)) }
  /// add 58, mul 59, sub 5C, min 5D, div 5E, max 5F, sqrt 51.
  @inline(__always) mutating func arithmetic(_ op: UInt64, _ d: Int, _ a: Int, _ b: Place, f32: Bool) {
    if silent { stillArithmetic(op, d, a, b, f32: f32) } else { vex(1, scalar(f32), op, d, a, b) }
  }
  /// and 54, and-not 55 (not a, and b), or 56, xor 57: of all 128 bits.
  @inline(__always) mutating func bits(_ op: UInt64, _ d: Int, _ a: Int, _ b: Place) { vex(1, .p66, op, d, a, b) }
  mutating func compare(_ c: Comparison, _ d: Int, _ a: Int, _ b: Place, f32: Bool) {
    vex(1, scalar(f32), 0xC2, d, a, b, immediate: c.rawValue, tail: 1)
  }
  mutating func round(_ mode: Rounding, _ d: Int, _ a: Int, f32: Bool) {
    vex(3, .p66, f32 ? 0x0A : 0x0B, d, a, .register(a), immediate: mode.rawValue, tail: 1)
  }
  /// d = mask ? b : a, element by element.
  mutating func blend(_ d: Int, _ a: Int, _ b: Place, mask: Int, f32: Bool) {
    vex(3, .p66, f32 ? 0x4A : 0x4B, d, a, b, immediate: UInt64(mask) << 4, tail: 1)
  }
  mutating func broadcast(_ d: Int, _ a: Int, f32: Bool) {
    if wide { evex(2, .p66, f32 ? 0x18 : 0x19, d, 0, .register(a), w: !f32, length: 2, unit: 1) } else { vex(2, .p66, f32 ? 0x18 : 0x19, d, 0, .register(a), long: true) }
    widened = true
  }
  /// d: a's number, then b's.
  mutating func join(_ d: Int, _ a: Int, _ b: Int, f32: Bool) { vex(1, f32 ? .none : .p66, 0x14, d, a, .register(b)) }
  mutating func storeWidest(_ s: Int, _ m: Place) { evex(1, .p66, 0x11, s, 0, m, w: true, length: 2, unit: 64) }
  mutating func storeWide(_ s: Int, _ m: Place) { vex(1, .p66, 0x11, s, 0, m, long: true) }
  mutating func storeHalf(_ s: Int, _ m: Place) { vex(1, .p66, 0x11, s, 0, m) }
  /// vzeroupper, where it is needed
  mutating func narrow() {
    if widened { buffer.put(0x77F8C5, 3) }
    widened = false
  }
  mutating func toF32(_ d: Int, _ a: Int) { vex(1, .pF2, 0x5A, d, a, .register(a)) }
  mutating func toF64(_ d: Int, _ a: Int) { vex(1, .pF3, 0x5A, d, a, .register(a)) }
  /// The upper bits of d stay.
  mutating func fromInteger(_ d: Int, _ m: Place, wide: Bool, f32: Bool) { vex(1, scalar(f32), 0x2A, d, d, m, wide: wide) }
  mutating func duplicateLow32(_ d: Int, _ a: Int) { vex(1, .pF3, 0x12, d, 0, .register(a)) }
  mutating func maskFromRAX(_ d: Int) { vex(1, .p66, 0x6E, d, 0, .register(0), wide: true) }
  mutating func maskToEAX(_ s: Int) { vex(1, .p66, 0x7E, s, 0, .register(0)) }

  // MARK: general registers

  /// A plain instruction with a memory operand.
  private mutating func plain(_ op: UInt64, _ reg: General, _ m: Place, wide: Bool = false) {
    var prefix: UInt64 = (wide ? 0x48 : 0) | (reg.rawValue >= 8 ? 0x44 : 0), w = op, n = 1
    if case .memory(let p, _) = m, p.rawValue >= 8 { prefix |= 0x41 }
    if prefix != 0 { (w, n) = (prefix | op << 8, 2) }
    operand(&w, &n, Int(reg.rawValue), m, 0)
  }
  mutating func clearEAX() { buffer.put(0xC031, 2) }
  mutating func compareAL(_ m: Place) { plain(0x3A, .rax, m) }
  /// All ones when the comparison borrowed.
  mutating func spreadBorrow() { buffer.put(0xC01948, 3) }
  mutating func andEAX1() { buffer.put(0x01E083, 3) }
  mutating func storeAL(_ m: Place) { plain(0x88, .rax, m) }
  mutating func address(_ d: General, _ m: Place) { plain(0x8D, d, m, wide: true) }
  mutating func pointer(_ d: General, _ m: Place) { plain(0x8B, d, m, wide: true) }
  /// d += rax
  mutating func addRAX(_ d: General) { buffer.put((d.rawValue >= 8 ? 0x49 : 0x48) | 0x01 << 8 | (0xC0 | d.rawValue & 7) << 16, 3) }
  mutating func setR8D(_ v: UInt32) { buffer.put(0xB841 | UInt64(v) << 16, 6) }
  mutating func setRAX(_ v: UInt64) {
    buffer.put(0xB848, 2)
    buffer.put(v, 8)
  }
  mutating func callRAX() { buffer.put(0xD0FF, 2) }
  /// push rbx, rbp, r14; rbp = rsi, r14 = rdx
  mutating func saveArguments() {
    buffer.put(0x5641_5553, 4)
    buffer.put(0xD689_49F5_8948, 6)
  }
  mutating func restoreRegisters() { buffer.put(0x5B5D_5E41, 4) }
  /// base = rdi + origin
  mutating func setBase() {
    if base == .rbx { buffer.put(0x9F8D48, 3) } else { buffer.put(0xC78148, 3) }
    buffer.put(UInt64(origin), 4)
  }
  /// prefetcht1 of what stands d bytes behind it
  mutating func prefetch(_ d: Int32) {
    buffer.put(0x15180F, 3)
    buffer.put(UInt64(UInt32(bitPattern: d)), 4)
  }
  mutating func ret() { buffer.put(0xC3, 1) }
  mutating func trap() { buffer.put(0xCC, 1) }
}
