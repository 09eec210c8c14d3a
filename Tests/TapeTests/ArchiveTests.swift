import CKernels
import Runtime
@testable import Tape
import XCTest

/// Files of functions: what is saved comes back to the bit, and what is not a file of ours is told in words.
final class ArchiveTests: XCTestCase {
  private func bytes(_ a: Archive) throws -> [UInt8] { try a.packed() }
  private func read(_ b: [UInt8]) throws -> Archive { try b.withUnsafeBytes { p throws(Failure) in try Archive(decoding: p) } }
  private func sentence(_ b: [UInt8], file: StaticString = #filePath, line: UInt = #line) -> String {
    do { _ = try read(b) } catch { return (error as? Failure)?.message ?? "\(error)" }
    XCTFail("was read", file: file, line: line)
    return ""
  }

  /// Checksums made good again: what only the checks behind them can refuse.
  private func mended(_ given: [UInt8]) -> [UInt8] {
    var b = given
    func long(_ at: Int) -> Int { (0 ..< 8).reduce(0) { $0 | Int(b[at + $1]) << (8 * $1) } }
    func put(_ v: UInt64, _ at: Int) { for i in 0 ..< 8 { b[at + i] = UInt8(truncatingIfNeeded: v >> UInt64(8 * i)) } }
    func sum(_ from: Int, _ to: Int, _ seed: UInt64 = 0) -> UInt64 { Array(b[from ..< to]).withUnsafeBytes { Format.checksum($0, seed) } }
    let count = Int(b[12]) | Int(b[13]) << 8
    for i in 0 ..< count {
      let e = 32 + 32 * i
      put(sum(long(e + 8), long(e + 8) + long(e + 16)), e + 24)
    }
    put(sum(32, 32 + 32 * count, sum(0, 24)), 24)
    return b
  }
  private func section(_ b: [UInt8], _ tag: String, _ number: Int = 0) -> Int {
    let all = stride(from: 32, to: 32 + 32 * Int(b[12]), by: 32).filter { String(decoding: b[$0 ..< $0 + 4], as: UTF8.self) == tag }
    return Int(b[all[number] + 8]) | Int(b[all[number] + 9]) << 8
  }

  /// A loop, constants of every kind, a product, and the gradient of it all.
  private func sample() throws -> Archive {
    let t = Tape(), x = t.f64(3), w = t.literal([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]), body = Tape(parent: t)
    let c = body.input(TensorType(.f64, [3])), s = body.input(TensorType(.f64, []))
    let next = body.unary(.tanh, body.add(body.mul(c, body.broadcast(s, to: [3])), body.resolve(serial: t.serial, index: x.index)))
    let ys = t.literal([0.5, -1, 2])
    let loop = t.parts(t.scan(body: body, inputs: [c, s], outputs: [next, body.total(next)], init: [x], xs: [ys], ys: 1, length: 3, reverse: false))
    let h = t.constant(.i32, integer: -7), k = t.add(t.cast(h, .f64), t.constant(.f64, .nan))
    let y = t.add(t.total(t.matmul(numpy: w, loop[0])), t.add(t.total(loop[1]), t.select(t.constant(.bool, integer: 0), k, t.constant(.f64, 0.1))))
    let g = t.grad(y, [x])
    t.guarding(t.binary(.gt, t.total(x), t.constant(.f64, -100)), true, "sum")
    t.guarding(t.binary(.gt, t.f64(), t.constant(.f64, 0)), true, "an input that no function has")
    let a = Archive()
    try a.add("value", t, inputs: [x], names: ["x"], outputs: [y], ["energy"])
    try a.add("grad", t, inputs: [x], names: ["x"], outputs: [y] + g, ["", "slope"])
    let other = Tape(), z = other.f64(2)
    try a.add("other", other, inputs: [z], names: [""], outputs: [other.mul(z, other.literal([1, 2]))], [""])
    try a.set("grad", "threads", 1)
    try a.set("grad", "backend", 1)
    try a.alias("grad", output: 1, input: 0)
    try a.note("author", "é 😀")
    try a.note("empty", "x")
    try a.note("empty", "")
    return a
  }

  func testRoundTrip() throws {
    let a = try sample(), file = try bytes(a), b = try read(file)
    XCTAssertEqual(try bytes(b), file)
    XCTAssertEqual(b.functions.map(\.name), ["value", "grad", "other"])
    XCTAssertEqual(b.functions.map(\.inputNames), [["x"], ["x"], [""]])
    XCTAssertEqual(b.functions.map(\.outputNames), [["energy"], ["", "slope"], [""]])
    XCTAssertTrue(b.functions[0].tape === b.functions[1].tape && b.functions[0].tape !== b.functions[2].tape)
    XCTAssertEqual(b.functions[0].outputs[0], b.functions[1].outputs[0])
    XCTAssertEqual(b.functions[1].options.map(\.name), ["backend", "threads"])
    XCTAssertEqual(b.functions[1].aliases.map { [$0.output, $0.input] }, [[1, 0]])
    XCTAssertEqual(b.functions[0].tape.guards.map(\.label), ["sum"])
    XCTAssertEqual(b.notes.map { [$0.key, $0.text] }, [["author", "é 😀"]])
    for (f, g) in zip(a.functions, b.functions) { XCTAssertEqual(f.tape.fingerprint(f.inputs, f.outputs), g.tape.fingerprint(g.inputs, g.outputs)) }
    for name in ["value", "grad"] {
      let p = try a.program(name), q = try b.program(name)
      XCTAssertTrue(sameBits(try run(p, [0.25, -1, 2]), try run(q, [0.25, -1, 2])))
    }
    // What was loaded is a tape as any other.
    let f = b.functions[0], o = a.functions[0], h = f.tape.hessian(f.outputs[0], f.inputs), wanted = o.tape.hessian(o.outputs[0], o.inputs)
    XCTAssertTrue(sameBits(try evaluate(f.tape, h, [(f.inputs[0], [0.25, -1, 2])]), try evaluate(o.tape, wanted, [(o.inputs[0], [0.25, -1, 2])])))
  }
  private func run(_ p: Program, _ x: Doubles) throws -> [Doubles] {
    let w = try Workspace(p), ins = p.inputTypes[0].map { Cells(x, $0) }, outs = p.outputTypes[0].map { Cells(Doubles(repeating: 0, count: $0.count), $0) }
    XCTAssertEqual(w.run(inputs: ins.map { UnsafeRawPointer($0.memory) as UnsafeRawPointer? }, outputs: outs.map { $0.memory as UnsafeMutableRawPointer? }), .ok, w.message)
    return withExtendedLifetime((ins, outs)) { outs.map(\.values) }
  }

  /// The bytes follow from what is computed.
  func testOrderOfRecordingDoesNotShow() throws {
    func file(_ other: Bool) throws -> [UInt8] {
      let t = Tape(), x = t.f64(2), y: NodeID
      if other {
        _ = t.unary(.cos, x)
        let c = t.literal([3, 4]), b = t.mul(c, x), a = t.unary(.sin, x)
        y = t.add(a, b)
      } else {
        let a = t.unary(.sin, x)
        y = t.add(a, t.mul(t.literal([3, 4]), x))
      }
      let a = Archive()
      try a.add("f", t, inputs: [x], names: [""], outputs: [y], [""])
      return try bytes(a)
    }
    XCTAssertEqual(try file(true), try file(false))
  }

  /// Constants stand in a file once, whoever holds them.
  func testConstantsAreShared() throws {
    let big = (0 ..< 1000).map(Double.init), a = Archive()
    for i in 0 ..< 4 {
      let t = Tape(), x = t.f64(1000)
      try a.add("f\(i)", t, inputs: [x], names: ["x"], outputs: [t.mul(t.literal(big), x)], [""])
    }
    let file = try bytes(a)
    XCTAssertLessThan(file.count, 8 * 1000 + 2500)
    let live = ck_live_bytes(), b = try read(file)
    XCTAssertLessThan(ck_live_bytes() - live, 8 * 1000 + 60_000, "tapes share them in memory, too")
    XCTAssertEqual(b.functions.count, 4)
  }

  func testWhatMayNotBeAdded() throws {
    let a = Archive(), t = Tape(), x = t.f64(2), y = t.unary(.sin, x)
    func refused(_ words: String, line: UInt = #line, _ body: () throws -> Void) {
      XCTAssertThrowsError(try body(), line: line) { XCTAssertTrue(($0 as? Failure)?.message.contains(words) == true, "\($0)", line: line) }
    }
    refused("no name") { try a.add("", t, inputs: [x], names: [""], outputs: [y], [""]) }
    refused("not listed") { try a.add("f", t, inputs: [], names: [], outputs: [y], [""]) }
    refused("not a node") { try a.add("f", t, inputs: [x], names: [""], outputs: [.none], [""]) }
    refused("twice") { try a.add("f", t, inputs: [x, x], names: ["", ""], outputs: [y], [""]) }
    refused("one name") { try a.add("f", t, inputs: [x, t.f64(2)], names: ["a", "a"], outputs: [y], [""]) }
    try a.add("f", t, inputs: [x], names: [""], outputs: [y], [""])
    refused("already") { try a.add("f", t, inputs: [x], names: [""], outputs: [y], [""]) }
    refused("\"g\"; there are f") { _ = try a.program("g") }
    refused("there are backend") { try a.set("f", "tread", 1) }
    refused("of 1 and 1") { try a.alias("f", output: 1, input: 0) }
    let inner = Tape(parent: t), c = inner.unary(.sin, inner.resolve(serial: t.serial, index: x.index))
    let b = Archive()
    try b.add("f", inner, inputs: [], names: [], outputs: [c], [""])
    refused("outer tape") { _ = try b.encoded() }
  }

  func testEveryTruncationAndEveryBitIsSeen() throws {
    let file = try bytes(try sample())
    for n in 0 ..< file.count {
      let said = sentence(Array(file[..<n]))
      XCTAssertTrue(said.contains("truncated"), "\(n) bytes: \(said)")
    }
    for i in file.indices {
      for bit in [0, 3, 7] {
        var b = file
        b[i] ^= 1 << UInt8(bit)
        let said = sentence(b)
        XCTAssertFalse(said.isEmpty)
        if i >= 32 { XCTAssertTrue(said.contains("altered") && (said.contains("byte")), "byte \(i): \(said)") }
      }
    }
    XCTAssertTrue(sentence(file + [0]).contains("announces"))
    XCTAssertTrue(sentence([]).contains("truncated"))
    XCTAssertTrue(sentence(Array("{\"json\": 1} and more of it than a header".utf8)).contains("no archive"))
  }

  /// Checksums are no defence: what they cover is checked as if they were not there.
  func testAlteredFilesWithGoodChecksums() throws {
    let file = try bytes(try sample())
    func altered(_ tag: String, _ word: Int, _ value: UInt32, _ number: Int = 0) -> String {
      var b = file
      let at = section(b, tag, number) + 4 * word
      for i in 0 ..< 4 { b[at + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
      let said = sentence(mended(b))
      XCTAssertTrue(said.contains("section \(tag)"), said)
      return said
    }
    XCTAssertEqual(mended(file), file)
    var newer = file
    newer[8] = 3
    XCTAssertTrue(sentence(mended(newer)).contains("version 3"))
    newer[8] = 2
    XCTAssertTrue(sentence(mended(newer)).contains("section LABL is missing"))
    XCTAssertTrue(altered("OPER", 0, 9999).contains("do not fit"))
    XCTAssertTrue(altered("OPER", 2, 0x7878_7878).contains("unknown to this version"))
    XCTAssertTrue(altered("TYPE", 1, 77).contains("no dtype"))
    XCTAssertTrue(altered("TYPE", 2, 1 << 20).contains("do not fit"))
    XCTAssertTrue(altered("ATTR", 0, 1 << 31).contains("do not fit"))
    XCTAssertTrue(altered("DATA", 0, 0xFFFF_FFFF).contains("do not fit"))
    XCTAssertTrue(altered("TAPE", 1, 0xFFFF).contains("do not fit"))
    XCTAssertTrue(altered("TAPE", 2, 0xFFFF).contains("node 0"))
    XCTAssertTrue(altered("FUNC", 0, 0x0FFF_FFFF).contains("do not fit"))
    // Any word of any section, replaced by telling values: refused or another sound program, never a crash.
    var refused = 0, taken = 0
    for at in stride(from: section(file, "OPER"), to: file.count - 3, by: 4) {
      for v: UInt32 in [0, 2, 0x7FFF_FFFF, 0xFFFF_FFFF] {
        var b = file
        for i in 0 ..< 4 { b[at + i] = UInt8(truncatingIfNeeded: v >> UInt32(8 * i)) }
        b = mended(b)
        do {
          let a = try read(b)
          for f in a.functions { _ = f.tape.fingerprint(f.inputs, f.outputs) }
          taken += 1
        } catch {
          refused += 1
        }
      }
    }
    XCTAssertGreaterThan(refused, 500)
    XCTAssertGreaterThan(taken, 50)
  }

  /// Bodies inside bodies, each twice: 2^k nodes in k sections.
  func testLoopsThatUnfoldAreRefused() throws {
    func nested(_ depth: Int, _ times: Int) throws -> [UInt8] {
      var b: Body?
      for _ in 0 ..< depth {
        let t = Tape(), x = t.f64()
        var y = x
        if let b { for k in 0 ..< times { y = t.part(t.scan(b, [y], [], [], length: 2 + k, reverse: false), 0) } } else { y = t.unary(.sin, x) }
        b = Body(tape: t, inputs: [x], outputs: [y])
      }
      let t = Tape(), x = t.f64(), a = Archive()
      try a.add("f", t, inputs: [x], names: [""], outputs: [t.part(t.scan(try XCTUnwrap(b), [x], [], [], length: 2, reverse: false), 0)], [""])
      return try bytes(a)
    }
    XCTAssertEqual(try read(try nested(12, 2)).functions.count, 1)
    XCTAssertTrue(sentence(try nested(40, 2)).contains("unfold"))
    XCTAssertEqual(try read(try nested(200, 1)).functions.count, 1)
    XCTAssertTrue(sentence(try nested(300, 1)).contains("inside each other"))
  }

  /// Operands and attributes of a row as its cases have them, and their derivatives.
  private func uses(_ s: Structural) -> [([TensorType], [Int])] {
    var list: [([TensorType], [Int])] = []
    for c in cases(s) {
      let t = Tape(), x = c.types.map { t.input($0) }, y = c.build(t, x).filter { t.contains($0) && t.dtype($0).isFloat }
      let on = c.active.map { x[$0] }
      _ = t.vjp(y, y.map { t.like($0, 1) }, on)
      for i in 0 ..< t.count where t.structural(NodeID(i)) == s { list.append((t.inputs(NodeID(i)).map { t.type($0) }, t.attrs(NodeID(i)))) }
    }
    return list
  }
  private func mutate(_ types: inout [TensorType], _ a: inout [Int], _ g: inout Random) {
    let numbers = [Int.max, .min, 1 << 40, 1 << 62, -(1 << 40), 1 << 32, 0, 1, 2, 3, -1, -2, -3, 7, -64]
    switch g.below(9) {
    case 0 where !types.isEmpty: types.remove(at: g.below(types.count))
    case 1 where !types.isEmpty: types.append(types[g.below(types.count)])
    case 2 where !types.isEmpty:
      let i = g.below(types.count)
      types[i] = types[i].with(DType.allCases[g.below(7)])
    case 3, 4:
      guard !types.isEmpty else { return }
      let i = g.below(types.count)
      var s = types[i].shape
      if s.isEmpty || g.below(3) == 0 { s.insert(g.below(3), at: g.below(s.count + 1)) } else if g.below(2) == 0 { s.remove(at: g.below(s.count)) } else { s[g.below(s.count)] = g.below(5) }
      types[i] = TensorType(types[i].dtype, s)
    case 5 where !a.isEmpty: a.remove(at: g.below(a.count))
    case 6: a.insert(numbers[g.below(numbers.count)], at: g.below(a.count + 1))
    case 7 where !a.isEmpty: a[g.below(a.count)] = numbers[g.below(numbers.count)]
    default:
      if a.isEmpty { return }
      a[g.below(a.count)] &+= g.below(5) - 2
    }
  }

  /// Every row may be read, and no operands or attributes that pass its check make its type rule, derivatives, batches or kernel trap.
  func testRowsTakeAnyAttributes() throws {
    var g = Random(7), made = 0
    let special: Set<Structural> = [.input, .constant, .array, .capture, .iota, .scan, .part, .checkpoint, .cond, .whileLoop, .host, .custom]
    for s in Structural.allCases where !special.contains(s) {
      guard mayLoad(s, [], []) != nil else { XCTFail("\(row(s).name): no rule says what a file may hold (Archive/Attributes.swift, or `loads` in its row)"); continue }
      let seeds = uses(s)
      XCTAssertFalse(seeds.isEmpty, "\(row(s).name): no case uses it")
      if seeds.isEmpty { continue }
      var taken = 0
      for round in 0 ..< 400 where taken < 120 {
        let t = Tape()
        var (types, a) = seeds[g.below(seeds.count)]
        for _ in 0 ..< round % 4 { mutate(&types, &a, &g) }
        let x = types.map { t.input($0) }
        guard let n = try? t.restored(s, x, a, { Failure(.io, $0) }), !n.isNone, t.failure == nil else { continue }
        taken += 1
        let outs = t.isTuple(n) ? t.parts(n) : [n], floats = outs.filter { t.dtype($0).isFloat }, on = x.filter { t.dtype($0).isFloat }
        if outs.contains(where: { t.type($0).count > 4096 }) { continue }
        _ = try? evaluate(t, outs, x.map { ($0, Doubles(repeating: 1, count: t.type($0).count)) })
        if !floats.isEmpty, !on.isEmpty {
          let v = on.map { t.like($0, 0.5) }, w = floats.map { t.like($0, 2) }
          let d = t.jvp(floats, on, v)
          if t.failure == nil { _ = try? evaluate(t, d, x.map { ($0, Doubles(repeating: 1, count: t.type($0).count)) }) }
          t.failure = nil
          let c = t.vjp(floats, w, on)
          if t.failure == nil { _ = try? evaluate(t, c, x.map { ($0, Doubles(repeating: 1, count: t.type($0).count)) }) }
          t.failure = nil
        }
        if !x.isEmpty {
          let wide = t.input(TensorType(t.dtype(x[0]), [2] + t.shape(x[0])))
          _ = t.batch(outs, [x[0]], [wide], size: 2)
        }
        made += 1
      }
      XCTAssertGreaterThan(taken, 40, "\(row(s).name): hardly any were taken")
    }
    XCTAssertGreaterThan(made, 500)
  }

  /// Files name rows: two of one name could not be told apart.
  func testRowsHaveNamesOfTheirOwn() {
    let names = (0 ..< UInt16(CK_ROW_COUNT)).map { OpCode(raw: $0).name } + Structural.allCases.map { row($0).name }
    XCTAssertEqual(Set(names).count, names.count, "\(Dictionary(grouping: names) { $0 }.filter { $1.count > 1 }.keys)")
  }
}
