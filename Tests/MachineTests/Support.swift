import CKernels
import Machine

struct Random {
  var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
  mutating func bits() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D
  }
  mutating func below(_ n: Int) -> Int { Int(bits() >> 33) % n }
}

/// What lies in a slot, as far as programs may read it. `h` and `b` are 16-bit storage.
enum Held: Int, CaseIterable {
  case f64, f32, h, b, i64, i32, bool
  var bytes: Int { [8, 4, 2, 2, 8, 4, 1][rawValue] }
}

/// Every code with what it reads and writes, polygamma apart: of a huge order at a huge number it sums terms for hours.
struct Code {
  let code: UInt16
  let operands: [Held]
  let out: Held
  let name: String

  static let all: [Code] = {
    var t: [Code] = []
    var row = 0
    while let name = ck_row_name(Int32(row)) {
      if row == Int(CK_UNARY_COUNT) + Int(Binary.polygamma.rawValue) { row += 1; continue }
      for d in Held.allCases {
        let c = ck_scalar_code_row(Int32(row), Int32(d.rawValue))
        if c < 0 { continue }
        let arity = Int(ck_row_arity(Int32(row))), kind = ck_row_class(Int32(row))
        var x = [Held](repeating: d, count: arity)
        var out = d
        if kind == .SELECT || kind == .GATE { x[0] = .bool }
        if kind == .TEST || kind == .COMPARE || kind == .LOGIC { out = .bool }
        t.append(Code(code: UInt16(c), operands: x, out: out, name: "\(String(cString: name)) \(d)"))
      }
      row += 1
    }
    for a in Held.allCases {
      for b in Held.allCases {
        let c = ck_scalar_code_cast(Int32(a.rawValue), Int32(b.rawValue))
        if c >= 0 { t.append(Code(code: UInt16(c), operands: [a], out: b, name: "cast \(a) \(b)")) }
      }
      let r = ck_scalar_code_round(Int32(a.rawValue))
      if r >= 0 { t.append(Code(code: UInt16(r), operands: [.f32], out: .f32, name: "round \(a)")) }
    }
    return t
  }()
  static func named(_ name: String) -> Code { all.first { $0.name == name }! }
}

/// A value of a dtype, special ones often.
func number(_ h: Held, _ r: inout Random) -> UInt64 {
  switch h {
  case .f64:
    let special: [Double] = [0, -0.0, 1, -1, 0.5, -2.5, .infinity, -.infinity, .nan, -.nan, 5e-324, -1e-310, 1e308, -3.5, 1e18, 4e9, -4e9, 2.5]
    switch r.below(4) {
    case 0: return special[r.below(special.count)].bitPattern
    case 1: return (Double(Int(r.below(2001)) - 1000) / 64).bitPattern
    case 2: return r.bits()
    default: return (Double(Int64(bitPattern: r.bits())) * 0x1p-62).bitPattern
    }
  case .f32:
    let special: [Float] = [0, -0.0, 1, -1, 0.5, -2.5, .infinity, -.infinity, .nan, -.nan, 1e-45, -1e-40, 3e38, -3.5, 1e18, 4e9, -4e9, 2.5]
    switch r.below(4) {
    case 0: return UInt64(special[r.below(special.count)].bitPattern)
    case 1: return UInt64((Float(r.below(2001) - 1000) / 64).bitPattern)
    case 2: return r.bits() & 0xFFFF_FFFF
    default: return UInt64((Float(Int32(truncatingIfNeeded: r.bits())) * 0x1p-30).bitPattern)
    }
  case .h, .b: return r.bits() & 0xFFFF
  case .i64: return r.below(2) == 0 ? r.bits() : UInt64(bitPattern: Int64(r.below(21) - 10))
  case .i32: return (r.below(2) == 0 ? r.bits() : UInt64(bitPattern: Int64(r.below(21) - 10))) & 0xFFFF_FFFF
  case .bool: return UInt64(r.below(2))
  }
}

/// A program over `slots`, the first `constants` of which are only read, what its slots hold before and after.
struct Sample {
  var code: [ck_instr] = []
  var before: [UInt64] = []
  var types: [Held] = []
  var names: [String] = []

  init(_ r: inout Random, count: Int, slots: Int, constants: Int = 0, codes: [Code], kinds: [Held] = Held.allCases) {
    var by = [[Int32]](repeating: [], count: 7), position = [Int](repeating: 0, count: slots)
    func put(_ s: Int, _ h: Held) {
      position[s] = by[h.rawValue].count
      by[h.rawValue].append(Int32(s))
    }
    for s in 0 ..< slots {
      let h = kinds[s < kinds.count ? s : r.below(kinds.count)]
      types.append(h)
      before.append(number(h, &r))
      put(s, h)
    }
    var left = count * 20
    while code.count < count, left > 0 {
      left -= 1
      let c = codes[r.below(codes.count)]
      if c.operands.contains(where: { by[$0.rawValue].isEmpty }) { continue }
      let at = c.operands.map { h in by[h.rawValue][r.below(by[h.rawValue].count)] }
      let out = constants + r.below(slots - constants), old = types[out].rawValue
      if old != c.out.rawValue {
        let last = by[old].removeLast()
        if Int(last) != out { by[old][position[out]] = last; position[Int(last)] = position[out] }
        types[out] = c.out
        put(out, c.out)
      }
      code.append(ck_instr(code: c.code, pad: 0, x: at[0], y: at.count > 1 ? at[1] : 0, z: at.count > 2 ? at[2] : 0, out: Int32(out)))
      names.append(c.name)
    }
  }

  func kernels() -> [UInt64] {
    var s = before
    ck_scalar_run(code, code.count, &s)
    return s
  }

  /// Nil where machine code gave the same in every kept slot; otherwise the first difference.
  func difference(kept: [Int32]) -> String? {
    guard let m = MachineCode(code, count: code.count, slots: before.count, kept: kept) else { return "not compiled" }
    var got = before
    m.run(&got)
    let want = kernels()
    for s in kept {
      let mask = types[Int(s)].bytes == 8 ? ~UInt64(0) : (1 << UInt64(8 * types[Int(s)].bytes)) - 1
      let a = got[Int(s)] & mask, b = want[Int(s)] & mask
      if a != b { return "slot \(s) (\(types[Int(s)])): \(String(a, radix: 16)), kernels \(String(b, radix: 16)); last written by \(writer(s))" }
    }
    return nil
  }

  private func writer(_ s: Int32) -> String {
    guard let k = code.lastIndex(where: { $0.out == s }) else { return "nobody" }
    return "\(names[k]) at \(k) of \(code.count)"
  }
}
