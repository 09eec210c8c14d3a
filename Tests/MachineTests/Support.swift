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
  /// By code.
  static let out: [Held] = {
    var t = [Held](repeating: .f64, count: Int(UInt16.max) + 1)
    for c in all { t[Int(c.code)] = c.out }
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
  private var startTypes: [Held] = []
  /// The slots that are looked at afterwards, and the host's arrays.
  var kept: [Int32] = []
  var transfers: [ck_transfer] = []
  var inputs: [[UInt64]] = [], outputs: [[UInt64]] = []

  /// A program whose slots are loaded from the host's arrays and from memory past the slots, and stored there: some where they are made, some at the
  /// end. With `halves`, from 16-bit formats too.
  init(moving r: inout Random, count: Int, slots: Int, codes: [Code], kinds: [Held], halves: Bool) {
    self.init(&r, count: count, slots: slots, codes: codes, kinds: kinds)
    kept = []
    // A word of memory each, so that no two overlap: in the arena, in three inputs or in three outputs.
    var arena = slots
    inputs = [[], [], []]
    outputs = [[], [], []]
    func room(_ store: Bool, _ bits: UInt64, words: Int = 1) -> Int32 {
      let base = r.below(3) == 0 ? 0 : store ? 2 : 1, host = r.below(3), inside = r.below(2) * 8
      var t = ck_transfer(offset: 0, host: Int32(host), base: Int32(base))
      switch base {
      case 0:
        t.host = 0
        t.offset = Int64(arena * 8)
        arena += words
        for _ in 0 ..< words {
          before.append(bits)
          types.append(.i64)
        }
      case 1:
        t.offset = Int64(inputs[host].count * 8)
        inputs[host].append(bits)
      default:
        if inside > 0 { outputs[host].append(7) }
        t.offset = Int64(outputs[host].count * 8)
        outputs[host] += [UInt64](repeating: bits, count: words)
      }
      transfers.append(t)
      return Int32(transfers.count - 1)
    }
    func dtypes(_ h: Held) -> [Held] { h == .f32 && halves ? [.f32, .h, .b] : [h] }
    var loads: [ck_instr] = [], all: [ck_instr] = [], now = startTypes
    func store(_ s: Int) {
      if now[s] == .h || now[s] == .b { return }
      let d = dtypes(now[s])[r.below(dtypes(now[s]).count)], fill = ck_scalar_code_fill(Int32(d.rawValue))
      if fill >= 0, r.below(3) == 0 {
        for _ in 0 ... r.below(2) {
          let n = r.below(2) == 0 ? r.below(9) : r.below(65)
          all.append(ck_instr(code: UInt16(fill), pad: 0, x: Int32(s), y: room(true, 0x5555_5555_5555_5555, words: n + 1), z: Int32(n), out: 0))
        }
        return
      }
      let pair = ck_scalar_code_pair(Int32(d.rawValue)), others = (0 ..< slots).filter { now[$0] == now[s] }
      if pair >= 0, r.below(2) == 0 {
        let z = Int32(others[r.below(others.count)])
        all.append(ck_instr(code: UInt16(pair), pad: 0, x: Int32(s), y: room(true, 0x5555_5555_5555_5555, words: 2), z: z, out: 0))
        return
      }
      all.append(ck_instr(code: UInt16(ck_scalar_code_store(Int32(d.rawValue))), pad: 0, x: Int32(s), y: room(true, 0x5555_5555_5555_5555), z: 0, out: 0))
    }
    for s in 0 ..< slots where now[s] != .h && now[s] != .b && r.below(8) > 0 {
      let d = dtypes(now[s])[r.below(dtypes(now[s]).count)]
      loads.append(ck_instr(code: UInt16(ck_scalar_code_load(Int32(d.rawValue))), pad: 0, x: room(false, d == now[s] ? before[s] : number(d, &r)), y: 0, z: 0, out: Int32(s)))
      before[s] = 0xDEAD_BEEF_DEAD_BEEF
    }
    for i in code {
      all.append(i)
      now[Int(i.out)] = Code.out[Int(i.code)]
      if r.below(4) == 0 { store(Int(i.out)) }
      if r.below(30) == 0 { store(r.below(slots)) }
    }
    for s in 0 ..< slots where r.below(3) == 0 { store(s) }
    // What the arena's words hold afterwards is looked at like slots.
    code = loads + all
    names = []
    for k in slots ..< arena { kept.append(Int32(k)) }
  }

  static func areNaN(_ a: UInt64, _ b: UInt64) -> Bool {
    if Double(bitPattern: a).isNaN, Double(bitPattern: b).isNaN { return true }
    return [0, 32].allSatisfy { shift in
      let x = UInt32(truncatingIfNeeded: a >> shift), y = UInt32(truncatingIfNeeded: b >> shift)
      return x == y || Float(bitPattern: x).isNaN && Float(bitPattern: y).isNaN
    }
  }

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
    startTypes = types
    kept = (0 ..< slots).map(Int32.init)
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

  private func run(_ f: (UnsafeMutablePointer<UInt64>, UnsafePointer<UnsafeRawPointer?>, UnsafePointer<UnsafeMutableRawPointer?>) -> Void) -> (slots: [UInt64], outputs: [[UInt64]]) {
    var s = before
    let x = inputs.map { a in UnsafeMutablePointer<UInt64>.allocate(capacity: max(a.count, 1)) }, y = outputs.map { a in UnsafeMutablePointer<UInt64>.allocate(capacity: max(a.count, 1)) }
    defer { (x + y).forEach { $0.deallocate() } }
    for (p, a) in zip(x + y, inputs + outputs) { p.update(from: a, count: a.count) }
    f(&s, x.map { UnsafeRawPointer($0) } + [nil], y.map { UnsafeMutableRawPointer($0) } + [nil])
    return (s, zip(y, outputs).map { Array(UnsafeBufferPointer(start: $0, count: $1.count)) })
  }
  func kernels() -> (slots: [UInt64], outputs: [[UInt64]]) {
    run { ck_scalar_run(code, code.count, $0, transfers, $1, $2) }
  }

  /// Nil where machine code gave the same in every kept slot and in the outputs; otherwise the first difference.
  func difference(kept: [Int32], eager: Bool = false) -> String? {
    let made = transfers.withUnsafeBufferPointer { MachineCode(code, count: code.count, slots: before.count, kept: transfers.isEmpty ? kept : [], transfers: $0, eager: eager) }
    guard let m = made else { return "not compiled" }
    let (got, written) = run { m.run($0, inputs: $1, outputs: $2) }, (want, wanted) = kernels()
    if written != wanted { return "outputs differ" }
    for s in kept {
      let mask = types[Int(s)].bytes == 8 ? ~UInt64(0) : (1 << UInt64(8 * types[Int(s)].bytes)) - 1
      let a = got[Int(s)] & mask, b = want[Int(s)] & mask
      if a != b { return "slot \(s) (\(types[Int(s)])): \(String(a, radix: 16)), kernels \(String(b, radix: 16)); last written by \(writer(s))" }
    }
    return nil
  }

  private func writer(_ s: Int32) -> String {
    guard let k = code.lastIndex(where: { $0.out == s }), !names.isEmpty else { return "nobody" }
    return "\(names[k]) at \(k) of \(code.count)"
  }
}
