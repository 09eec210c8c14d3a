/// The instructions of arm64 that straight-line arithmetic needs. x19 holds slot 0, x20 and x21 the lists of the host's inputs and outputs, x9 to
/// x15 pointers from them; what lies past the reach of one instruction is addressed through x16. Words of 32 bits.
struct ARM64 {
  enum Comparison: UInt32 { case eq = 0x5E20_E400, ge = 0x7E20_E400, gt = 0x7EA0_E400 }
  enum Rounding: UInt32 { case even = 0x1E64_4000, ceil = 0x1E64_C000, floor = 0x1E65_4000, trunc = 0x1E65_C000 }
  enum Zero: UInt32 { case eq = 0x5EA0_D800, gt = 0x5EA0_C800, le = 0x7EA0_D800, lt = 0x5EA0_E800 }
  enum Size: UInt32 { case byte, half, word, double }

  var buffer: CodeBuffer
  var silent = false
  init(_ buffer: CodeBuffer) { self.buffer = buffer }
  /// Which pointer each of x9 to x15 holds (-1: none), and when it was used last.
  var pointed = SIMD8<Int64>(repeating: -1), used = SIMD8<Int64>(repeating: 0)
  var clock: Int64 = 0
  mutating func forget() { pointed = SIMD8(repeating: -1) }

  @inline(__always) mutating func word(_ w: UInt32) { buffer.put(UInt64(w), 4) }
  @inline(__always) private func three(_ d: Int, _ n: Int, _ m: Int) -> UInt32 { UInt32(m) << 16 | UInt32(n) << 5 | UInt32(d) }
  @inline(__always) private func two(_ d: Int, _ n: Int) -> UInt32 { UInt32(n) << 5 | UInt32(d) }
  /// Scalar arithmetic has its size in bit 22.
  @inline(__always) private func sized(_ op: UInt32, _ f32: Bool) -> UInt32 { f32 ? op & ~0x0040_0000 : op }

  // MARK: vector registers

  mutating func add(_ d: Int, _ n: Int, _ m: Int, f32: Bool) { word(sized(0x1E60_2800, f32) | three(d, n, m)) }
  mutating func sub(_ d: Int, _ n: Int, _ m: Int, f32: Bool) { word(sized(0x1E60_3800, f32) | three(d, n, m)) }
  mutating func mul(_ d: Int, _ n: Int, _ m: Int, f32: Bool) { word(sized(0x1E60_0800, f32) | three(d, n, m)) }
  mutating func div(_ d: Int, _ n: Int, _ m: Int, f32: Bool) { word(sized(0x1E60_1800, f32) | three(d, n, m)) }
  mutating func neg(_ d: Int, _ n: Int, f32: Bool) { word(sized(0x1E61_4000, f32) | two(d, n)) }
  mutating func abs(_ d: Int, _ n: Int, f32: Bool) { word(sized(0x1E60_C000, f32) | two(d, n)) }
  mutating func sqrt(_ d: Int, _ n: Int, f32: Bool) { word(sized(0x1E61_C000, f32) | two(d, n)) }
  mutating func round(_ mode: Rounding, _ d: Int, _ n: Int, f32: Bool) { word(sized(mode.rawValue, f32) | two(d, n)) }
  mutating func one(_ d: Int, f32: Bool) { word(sized(0x1E6E_1000, f32) | UInt32(d)) }
  mutating func toF32(_ d: Int, _ n: Int) { word(0x1E62_4000 | two(d, n)) }
  mutating func toF64(_ d: Int, _ n: Int) { word(0x1E22_C000 | two(d, n)) }
  /// A mask of the compared bits; for f32 the 32 above are zero.
  mutating func compare(_ c: Comparison, _ d: Int, _ n: Int, _ m: Int, f32: Bool) { word(sized(c.rawValue | 0x0040_0000, f32) | three(d, n, m)) }
  mutating func compareZero(_ c: Zero, _ d: Int, _ n: Int, f32: Bool) { word(sized(c.rawValue | 0x0040_0000, f32) | two(d, n)) }

  // MARK: bits, 64 at a time

  mutating func move(_ d: Int, _ n: Int) { or(d, n, n) }
  mutating func and(_ d: Int, _ n: Int, _ m: Int) { word(0x0E20_1C00 | three(d, n, m)) }
  /// n and not m.
  mutating func clear(_ d: Int, _ n: Int, _ m: Int) { word(0x0E60_1C00 | three(d, n, m)) }
  mutating func or(_ d: Int, _ n: Int, _ m: Int) { word(0x0EA0_1C00 | three(d, n, m)) }
  /// n or not m.
  mutating func orNot(_ d: Int, _ n: Int, _ m: Int) { word(0x0EE0_1C00 | three(d, n, m)) }
  mutating func xor(_ d: Int, _ n: Int, _ m: Int) { word(0x2E20_1C00 | three(d, n, m)) }
  mutating func not(_ d: Int, _ n: Int) { word(0x2E20_5800 | two(d, n)) }
  /// d = d ? n : m, bit by bit.
  mutating func choose(_ d: Int, _ n: Int, _ m: Int) { word(0x2E60_1C00 | three(d, n, m)) }
  /// d = m ? n : d, bit by bit.
  mutating func insert(_ d: Int, _ n: Int, where m: Int) { word(0x2EA0_1C00 | three(d, n, m)) }
  /// d = m ? d : n, bit by bit.
  mutating func insert(_ d: Int, _ n: Int, unless m: Int) { word(0x2EE0_1C00 | three(d, n, m)) }
  /// Both halves become the low one.
  mutating func duplicateLow32(_ d: Int, _ n: Int) { word(0x0E04_0400 | two(d, n)) }
  /// 1 << 63, or 1 << 31 in both halves.
  mutating func sign(_ d: Int, f32: Bool) {
    if f32 {
      word(0x0F04_6400 | UInt32(d))           // movi d.2s, 0x80, lsl 24
    } else {
      word(0x2F00_E400 | UInt32(d))           // movi d, 0
      neg(d, d, f32: false)
    }
  }
  mutating func maskFromX17(_ d: Int) { word(0x9E67_0220 | UInt32(d)) }
  mutating func maskToX17(_ n: Int) { word(0x9E66_0011 | UInt32(n) << 5) }
  mutating func fromX17(_ d: Int, wide: Bool, f32: Bool) { word(sized((wide ? 0x9E62_0220 : 0x1E62_0220) | UInt32(d), f32)) }

  // MARK: memory and general registers

  /// Vector register r of 4 or 8 bytes, or w17/x17 of 1, 4 or 8, from or to `offset` bytes behind register `base`.
  mutating func transfer(_ r: Int, _ base: UInt32, _ offset: UInt32, _ size: Size, load: Bool, vector: Bool) {
    let shift = size.rawValue, op = 0x3900_0000 | size.rawValue << 30 | (vector ? 1 << 26 : 0) | (load ? 1 << 22 : 0)
    let scaled = offset >> shift
    if scaled < 4096, scaled << shift == offset {
      word(op | scaled << 10 | base << 5 | UInt32(r))
    } else {
      address(16, base, offset)
      word(op | 16 << 5 | UInt32(r))
    }
  }
  mutating func transfer(_ r: Int, _ slot: Int32, _ size: Size, load: Bool, vector: Bool) {
    transfer(r, 19, UInt32(slot) << 3, size, load: load, vector: vector)
  }
  /// d = base + offset; d is not base where that is far.
  mutating func address(_ d: UInt32, _ base: UInt32, _ offset: UInt32) {
    if offset < 4096 {
      word(0x9100_0000 | offset << 10 | base << 5 | d)
    } else {
      word(0x5280_0000 | (offset & 0xFFFF) << 5 | d)                 // movz w, low
      word(0x72A0_0000 | (offset >> 16) << 5 | d)                    // movk w, high, lsl 16
      word(0x8B00_0000 | d << 16 | base << 5 | d)                    // add d, base, d
    }
  }
  /// d = x19 + 8 slot
  mutating func address(_ d: UInt32, _ slot: Int32) { address(d, 19, UInt32(slot) << 3) }
  /// d = d + x16
  mutating func addX16(_ d: UInt32) { word(0x8B10_0000 | d << 5 | d) }
  /// x17 = 0 - (w17 != 0)
  mutating func spreadW17() {
    word(0x7100_023F)                          // cmp w17, 0
    word(0xDA9F_03F1)                          // csetm x17, ne
  }
  mutating func andW17One() { word(0x1200_0231) }
  mutating func setX4(_ n: UInt32) { word(0xD280_0004 | (n & 0xFFFF) << 5) }
  mutating func setX16(_ v: UInt64) {
    word(0xD280_0010 | UInt32(v & 0xFFFF) << 5)
    for k in 1 ..< 4 { word(0xF280_0010 | UInt32(k) << 21 | UInt32(v >> (16 * UInt64(k)) & 0xFFFF) << 5) }
  }
  mutating func callX16() { word(0xD63F_0200) }
  /// Frame record, x19 to x21: 48 bytes.
  mutating func enterFrame() {
    word(0xA9BD_7BFD)                          // stp x29, x30, [sp, -48]!
    word(0x9100_03FD)                          // mov x29, sp
    word(0xA901_53F3)                          // stp x19, x20, [sp, 16]
    word(0xF900_13F5)                          // str x21, [sp, 32]
    word(0xAA00_03F3)                          // mov x19, x0
    word(0xAA01_03F4)                          // mov x20, x1
    word(0xAA02_03F5)                          // mov x21, x2
  }
  mutating func leaveFrame() {
    word(0xF940_13F5)                          // ldr x21, [sp, 32]
    word(0xA941_53F3)                          // ldp x19, x20, [sp, 16]
    word(0xA8C3_7BFD)                          // ldp x29, x30, [sp], 48
  }
  /// prfm plil2keep of what stands d bytes from it, d a multiple of 4 below a MiB
  mutating func prefetch(_ d: Int32) { word(0xD800_000A | (UInt32(bitPattern: d >> 2) & 0x7FFFF) << 5) }
  mutating func ret() { word(0xD65F_03C0) }
  mutating func trap() { word(0xD420_0000) }
}
