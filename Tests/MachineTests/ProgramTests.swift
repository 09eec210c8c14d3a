import CKernels
import Machine
import XCTest

final class ProgramTests: XCTestCase {
  override func setUpWithError() throws {
    if !MachineCode.available { throw XCTSkip("no AVX2") }
  }

  private func inline(_ c: Code) -> Bool {
    let names = ["add", "sub", "mul", "div", "neg", "abs", "sqrt", "square", "reciprocal", "relu", "sign", "floor", "ceil", "round", "trunc",
                 "maximum", "minimum", "fmax", "fmin", "clamp", "select", "gate", "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isfinite",
                 "logical_not", "logical_and", "logical_or", "logical_xor", "stop_gradient", "cast"]
    return names.contains(String(c.name.split(separator: " ")[0])) && !(c.operands + [c.out]).contains { $0 == .h || $0 == .b || $0 == .i64 || $0 == .i32 }
  }

  /// Every code alone, on many operands.
  func testEveryCode() {
    var r = Random(1)
    for c in Code.all {
      for _ in 0 ..< 60 {
        let s = Sample(&r, count: 1, slots: 8, codes: [c])
        XCTAssertEqual(s.code.count, 1)
        if let d = s.difference(kept: [s.code[0].out]) { return XCTFail("\(c.name): \(d)") }
      }
    }
  }

  /// Every pair of special operands.
  func testSpecialOperands() {
    for f32 in [false, true] {
      let values: [Double] = [0, -0.0, 1, -1, .infinity, -.infinity, .nan, -.nan, 1e-40, 2.5, -2.5]
      let list = values.map { f32 ? UInt64(Float($0).bitPattern) : $0.bitPattern } + (f32 ? [1, 0x7FA0_0000] : [1, 0x7FF4_0000_0000_0000])
      let type = f32 ? Held.f32 : .f64
      for c in Code.all where inline(c) && c.operands.allSatisfy({ $0 == type || $0 == .bool }) && c.operands.contains(type) {
        var r = Random(3)
        for a in list { for b in list { for z in c.operands.count > 2 ? list : [0] {
          var s = Sample(&r, count: 0, slots: 4, codes: [c])
          s.before = [a, b, z, 0]
          if c.operands[0] == .bool { s.before[0] = a & 1 }
          s.code = [ck_instr(code: c.code, pad: 0, x: 0, y: 1, z: 2, out: 3)]
          s.names = [c.name]
          s.types[3] = c.out
          if let d = s.difference(kept: [3]) { return XCTFail("\(c.name) \(s.before.map { String($0, radix: 16) }): \(d)") }
        } } }
      }
    }
  }

  /// So long (`Translator.fetching`) that its code is asked for ahead, and no cache holds it.
  func testLongProgram() {
    var r = Random(11)
    let s = Sample(&r, count: 450_000, slots: 700, constants: 50, codes: Code.all.filter(inline))
    if let d = s.difference(kept: Array(0 ..< 700)) { XCTFail(d) }
  }

  private func programs(_ codes: [Code], _ rounds: Int, _ seed: UInt64, kinds: [Held] = Held.allCases) {
    var r = Random(seed)
    for round in 0 ..< rounds {
      let count = round % 10 == 9 ? 1000 + r.below(4000) : 1 + r.below(300)
      let slots = [8, 12, 20, 40, 90, 700][r.below(6)], constants = r.below(slots / 2)
      let s = Sample(&r, count: count, slots: slots, constants: constants, codes: codes, kinds: kinds)
      var kept: [Int32] = []
      for k in 0 ..< slots where round % 3 == 0 || r.below(3) == 0 { kept.append(Int32(k)) }
      if let d = s.difference(kept: kept) { return XCTFail("program \(round) of \(s.code.count): \(d)") }
    }
  }

  func testInlinePrograms() { programs(Code.all.filter(inline), 400, 5, kinds: [.f64, .f32, .bool]) }
  func testAllPrograms() { programs(Code.all, 300, 7) }
  func testMixedPrograms() {
    let calls = ["exp f64", "tanh f32", "sin f64", "pow f64", "add i64", "cast i64 f64", "cast f64 i64", "cast i32 f32", "cast f32 i32"].map(Code.named)
    let cheap = Code.all.filter(inline)
    programs(cheap + cheap + calls, 200, 11)
  }
  /// Long lives: values wait in memory and come back.
  func testArithmeticPrograms() { programs(["add f64", "mul f64", "sub f64", "neg f64"].map(Code.named), 200, 13, kinds: [.f64]) }

  func testMillion() {
    var r = Random(17)
    let s = Sample(&r, count: 1_000_000, slots: 3000, constants: 10, codes: Code.all.filter(inline), kinds: [.f64, .f32, .bool])
    XCTAssertEqual(s.code.count, 1_000_000)
    XCTAssertNil(s.difference(kept: (0 ..< 3000).map(Int32.init)))
  }

  func testParts() {
    var r = Random(19)
    let samples = (0 ..< 50).map { _ in Sample(&r, count: r.below(100), slots: 30, codes: Code.all) }
    let all = (0 ..< 30).map(Int32.init)
    samples.withUnsafeBufferPointer { s in
      all.withUnsafeBufferPointer { kept in
        let codes = s.map { x in UnsafeMutableBufferPointer<ck_instr>.allocate(capacity: x.code.count) }
        for (c, x) in zip(codes, s) { _ = c.initialize(from: x.code) }
        defer { codes.forEach { $0.deallocate() } }
        guard let m = MachineCode(parts: s.count, slots: 30, { MachineCode.Part(UnsafePointer(codes[$0].baseAddress!), count: codes[$0].count, kept: kept) }) else {
          return XCTFail("not compiled")
        }
        for (n, x) in s.enumerated() {
          var got = x.before
          m.run(&got, part: n)
          let want = x.kernels().slots
          for k in 0 ..< 30 where x.types[k].bytes == 8 { XCTAssertEqual(got[k], want[k]) }
        }
      }
    }
  }

  /// Numbers of every dtype fetched from and stored to the host's arrays and the arena, on demand and eagerly.
  func testLoadsAndStores() {
    var r = Random(31)
    let cheap = Code.all.filter(inline)
    for round in 0 ..< 400 {
      let codes = round % 3 == 0 ? Code.all : cheap, kinds: [Held] = round % 3 == 1 ? [.f64, .f32, .bool] : Held.allCases
      let s = Sample(moving: &r, count: round % 10 == 9 ? 2000 : r.below(200), slots: [8, 12, 20, 40, 300][r.below(5)], codes: codes, kinds: kinds, halves: true)
      for eager in [false, true] { if let d = s.difference(kept: s.kept, eager: eager) { return XCTFail("program \(round) of \(s.code.count), eager \(eager): \(d)") } }
    }
  }

  /// Arithmetic alone, which brings its own rounding: the same in any floating-point environment, of which no trace is left.
  func testSilentPrograms() {
    var r = Random(37)
    let quiet = Code.all.filter { c in c.name.hasSuffix("f64") && ["add ", "sub ", "mul ", "div ", "sqrt ", "square ", "neg ", "reciprocal "].contains { c.name.hasPrefix($0) } }
    XCTAssertEqual(quiet.count, 8)
    for round in 0 ..< 200 {
      let s = Sample(moving: &r, count: 1 + r.below(120), slots: [8, 20, 40][r.below(3)], codes: quiet, kinds: [.f64], halves: false)
      if let d = s.difference(kept: s.kept) { return XCTFail("program \(round) of \(s.code.count): \(d)") }
      let made = s.transfers.withUnsafeBufferPointer { MachineCode(s.code, count: s.code.count, slots: s.before.count, kept: [], transfers: $0) }
      XCTAssertEqual(made?.silent, ck_level() >= 2)
    }
    let one = Sample(&r, count: 5, slots: 8, codes: Code.all.filter { $0.name == "maximum f64" })
    XCTAssertEqual(MachineCode(one.code, count: one.code.count, slots: 8, kept: [one.code[4].out])?.silent, false)
  }

  /// Loads give what kernels see, stores what was computed: not only the same on both back ends.
  func testTransferredValues() throws {
    let load = UInt16(ck_scalar_code_load(0)), store = UInt16(ck_scalar_code_store(0)), add = Code.named("add f64").code
    let code = [ck_instr(code: load, pad: 0, x: 0, y: 0, z: 0, out: 0), ck_instr(code: load, pad: 0, x: 1, y: 0, z: 0, out: 1),
                ck_instr(code: add, pad: 0, x: 0, y: 1, z: 0, out: 2), ck_instr(code: store, pad: 0, x: 2, y: 2, z: 0, out: 0),
                ck_instr(code: store, pad: 0, x: 1, y: 3, z: 0, out: 0)]
    let far = 5 << 30   // past one displacement
    let arena = UnsafeMutableRawPointer(bitPattern: 1 << 16)!   // never read itself
    var x = [1.5, 2.5], y = [0.0, 0, 0]
    x.withUnsafeMutableBytes { xs in
      y.withUnsafeMutableBytes { ys in
        let transfers = [ck_transfer(offset: 8, host: 0, base: 1), ck_transfer(offset: Int64(far), host: 1, base: 1),
                         ck_transfer(offset: 16, host: 1, base: 2), ck_transfer(offset: Int64(Int(bitPattern: ys.baseAddress!) - Int(bitPattern: arena)), host: 0, base: 0)]
        let near = xs.baseAddress!, ins: [UnsafeRawPointer?] = [UnsafeRawPointer(near), UnsafeRawPointer(near - far)], outs: [UnsafeMutableRawPointer?] = [nil, ys.baseAddress!]
        let m = transfers.withUnsafeBufferPointer { MachineCode(code, count: code.count, slots: 3, kept: [], transfers: $0) }
        m?.run(arena.assumingMemoryBound(to: UInt64.self), inputs: ins, outputs: outs)
      }
    }
    XCTAssertEqual(y, [1.5, 0, 4])
    XCTAssertEqual(x, [1.5, 2.5])
  }

  func testUnreadResultsAreNotComputed() {
    let add = Code.named("add f64").code
    let code = [ck_instr(code: add, pad: 0, x: 0, y: 1, z: 0, out: 2), ck_instr(code: add, pad: 0, x: 0, y: 0, z: 0, out: 2)]
    guard let a = MachineCode(code, count: 2, slots: 3, kept: [2]), let b = MachineCode(Array(code[1...]), count: 1, slots: 3, kept: [2]) else { return XCTFail() }
    XCTAssertEqual(a.bytes, b.bytes)
  }

  func testMisuse() {
    let add = Code.named("add f64").code
    func make(_ c: [ck_instr], slots: Int, kept: [Int32] = []) -> MachineCode? { MachineCode(c, count: c.count, slots: slots, kept: kept) }
    let empty = make([], slots: 0)
    XCTAssertNotNil(empty)
    var one: UInt64 = 7
    empty?.run(&one)
    XCTAssertEqual(one, 7)
    XCTAssertNil(make([ck_instr(code: add, pad: 0, x: 0, y: 1, z: 0, out: 2)], slots: 2))
    XCTAssertNil(make([ck_instr(code: add, pad: 0, x: -1, y: 1, z: 0, out: 1)], slots: 2))
    XCTAssertNil(make([ck_instr(code: 65535, pad: 0, x: 0, y: 1, z: 0, out: 1)], slots: 2))
    XCTAssertNil(make([], slots: 2, kept: [2]))
    XCTAssertNil(make([], slots: -1))
    for (x, y, out) in [(0, 0, 0), (-1, 0, 0)] as [(Int32, Int32, Int32)] {
      XCTAssertNil(make([ck_instr(code: UInt16(ck_scalar_code_load(0)), pad: 0, x: x, y: y, z: 0, out: out)], slots: 2, kept: [0]))
      XCTAssertNil(make([ck_instr(code: UInt16(ck_scalar_code_store(0)), pad: 0, x: 0, y: x, z: 0, out: out)], slots: 2))
      XCTAssertNil(make([ck_instr(code: UInt16(ck_scalar_code_fill(0)), pad: 0, x: 0, y: x, z: 1, out: out)], slots: 2))
    }
    for k in 0 ..< 7 {
      ck_fail_after(Int64(k))
      _ = make([ck_instr(code: add, pad: 0, x: 0, y: 1, z: 0, out: 2)], slots: 3, kept: [2])
    }
    ck_fail_after(-1)
  }

  func testMemoryComesBack() {
    let before = ck_live_bytes()
    for _ in 0 ..< 3 { XCTAssertNil(Sample.plain.difference(kept: [0])) }
    XCTAssertEqual(ck_live_bytes(), before)
  }

  func testBaselineHasNone() {
    let level = ck_level()
    XCTAssertTrue(ck_set_level(0))
    defer { _ = ck_set_level(level) }
    XCTAssertFalse(MachineCode.available)
    XCTAssertNil(MachineCode([], count: 0, slots: 1, kept: []))
  }
}

extension Sample {
  static var plain: Sample {
    var r = Random(23)
    return Sample(&r, count: 100, slots: 20, codes: [Code.named("add f64"), Code.named("mul f64")], kinds: [.f64])
  }
}
