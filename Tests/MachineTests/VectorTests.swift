#if arch(x86_64)
import CKernels
import XCTest
@testable import Machine

/// A block program over arrays: what the kernels make of them one after the other, and what vector code does.
private struct Arrays {
  var code: [ck_instr] = []
  var names: [String] = []
  var types: [Held], first: [Held]
  /// By value: one number stands for all elements; it has memory; it is wanted afterwards.
  var one: [Bool], placed: [Bool], kept: [Bool]
  private var position: [Int]

  /// Of `values`, the first `inputs` hold something at the beginning; the last `reserve` are results only.
  init(_ r: inout Random, count: Int, values: Int, inputs: Int, codes: [Code], kinds: [Held], ones: Bool = true) {
    let types = (0 ..< values).map { $0 < kinds.count ? kinds[$0] : kinds[r.below(kinds.count)] }, first = types
    self.types = types
    self.first = types
    one = (0 ..< values).map { [Held.f64, .f32].contains(first[$0]) && $0 < inputs && ones && r.below(3) == 0 }
    placed = (0 ..< values).map { $0 < inputs }
    kept = [Bool](repeating: false, count: values)
    position = []
    var known = (0 ..< values).map { $0 < inputs }, left = count * 30
    while code.count < count, left > 0 {
      left -= 1
      let c = codes[r.below(codes.count)]
      var at: [Int] = []
      for h in c.operands {
        let fit = (0 ..< values).filter { known[$0] && types[$0] == h }
        if fit.isEmpty { break }
        at.append(fit[r.below(fit.count)])
      }
      if at.count < c.operands.count { continue }
      // A value keeps its dtype and, where it has memory, is defined but once.
      let free = (0 ..< values).filter { !one[$0] && first[$0] == c.out && !placed[$0] }
      if free.isEmpty { continue }
      let out = free[r.below(free.count)]
      known[out] = true
      code.append(ck_instr(code: c.code, pad: 0, x: Int32(at[0]), y: at.count > 1 ? Int32(at[1]) : 0, z: at.count > 2 ? Int32(at[2]) : 0, out: Int32(out)))
      names.append(c.name)
    }
    let written = Set(code.map { Int($0.out) })
    for v in written where r.below(2) == 0 || written.count == 1 {
      kept[v] = true
      placed[v] = true
    }
    if !kept.contains(true), let v = written.first { kept[v] = true; placed[v] = true }
  }

  /// Nil where vector code gives the same, with nothing written beside; `shift`: how far arrays stand off alignment, in elements.
  func difference(_ r: inout Random, elements n: Int, shift: Int) -> String? {
    let values = types.count, guardBytes = 64
    var before: [[UInt8]] = []
    for v in 0 ..< values {
      var b = [UInt8](repeating: 0xCD, count: (n + shift) * first[v].bytes + 2 * guardBytes)
      for e in 0 ..< (one[v] ? min(n, 1) : n) {
        let x = number(first[v], &r)
        for k in 0 ..< first[v].bytes { b[guardBytes + (e + shift) * first[v].bytes + k] = UInt8(truncatingIfNeeded: x >> UInt64(8 * k)) }
      }
      before.append(b)
    }
    let place = (0 ..< values).map { VectorValue(pointer: placed[$0] ? Int32($0) : -1, one: one[$0], streams: kept[$0] && r.below(2) == 0) }
    let keep = (0 ..< values).filter { kept[$0] }.map(Int32.init)
    let made = place.withUnsafeBufferPointer { p in
      keep.withUnsafeBufferPointer { k in
        code.withUnsafeBufferPointer { c in
          VectorCode(parts: 1, values: values) { _ in
            VectorCode.Part(c.baseAddress, count: c.count, kept: k, values: p.baseAddress!, spills: Int32(values), elements: n, multiple: n)
          }
        }
      }
    }
    guard let made else { return "not compiled" }
    let e = made.entries[0], end = made.anyEnd ? n : n / Int(e.lanes) * Int(e.lanes)
    func memory(_ b: [UInt8], _ count: Int) -> UnsafeMutableRawPointer {
      let p = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
      b.withUnsafeBytes { if b.count > 0 { p.copyMemory(from: $0.baseAddress!, byteCount: min(b.count, count)) } }
      return p
    }
    let got = (0 ..< values).map { memory(before[$0], before[$0].count) }
    let want = (0 ..< values).map { v -> UnsafeMutableRawPointer in
      let p = memory(before[v], before[v].count)
      if one[v] { for e in 1 ..< max(n, 1) { (p + guardBytes + (shift + e) * first[v].bytes).copyMemory(from: p + guardBytes + shift * first[v].bytes, byteCount: first[v].bytes) } }
      return p
    }
    let spills = UnsafeMutableRawPointer.allocate(byteCount: Int(e.spills) + 128, alignment: 64)
    spills.initializeMemory(as: UInt8.self, repeating: 0x5A, count: Int(e.spills) + 128)
    defer { (got + want + [spills]).forEach { $0.deallocate() } }
    let table = (0 ..< values).map { Optional(got[$0] + guardBytes + shift * first[$0].bytes) } + [spills]
    var t = table
    t.withUnsafeMutableBytes { e.function($0.baseAddress!, 0, end) }
    if t != table { return "the table changed" }
    for b in Int(e.spills) ..< Int(e.spills) + 128 where spills.load(fromByteOffset: b, as: UInt8.self) != 0x5A { return "beyond the spills" }
    for i in code {
      guard let f = unsafeBitCast(Operations.table[Int(i.code)].kernel, to: ck_kernel?.self) else { return "no kernel" }
      func p(_ v: Int32) -> UnsafeMutableRawPointer { want[Int(v)] + guardBytes + shift * first[Int(v)].bytes }
      f(p(i.x), p(i.y), p(i.z), p(i.out), end)
    }
    for v in 0 ..< values where placed[v] {
      let bytes = before[v].count, from = guardBytes + shift * first[v].bytes
      for b in 0 ..< bytes {
        let inside = kept[v] && b >= from && b < from + end * first[v].bytes
        let a = got[v].load(fromByteOffset: b, as: UInt8.self), x = inside ? want[v].load(fromByteOffset: b, as: UInt8.self) : before[v][b]
        if a != x {
          let k = code.lastIndex { $0.out == Int32(v) } ?? 0
          return "value \(v) (\(first[v])) byte \(b - from) of \(end) elements\(inside ? "" : ", beside"): \(a), kernels \(x); by \(names.isEmpty ? "" : names[k]) at \(k) of \(code.count)"
        }
      }
    }
    return nil
  }
}

final class VectorTests: XCTestCase {
  override func setUpWithError() throws {
    if !VectorCode.available { throw XCTSkip("no AVX2") }
  }
  private func everyLevel(_ f: (Int) -> Void) {
    let level = ck_level()
    defer { _ = ck_set_level(level) }
    for l in 1 ... max(level, 1) {
      XCTAssertTrue(ck_set_level(l))
      f(Int(l))
    }
  }
  private static let kinds: [Held] = [.f64, .f32, .bool, .i64, .i32]
  private var codes: [Code] { Code.all.filter { VectorCode.takes(Int32($0.code)) } }

  /// Every code alone, at every length up to 70 and off alignment, and long enough for all copies.
  func testEveryCode() {
    everyLevel { level in
      var r = Random(UInt64(level))
      XCTAssertEqual(codes.count, level == 1 ? 78 : 80)
      for c in codes {
        for n in Array(0 ... 70) + [1000] {
          let kinds = Array((c.operands + c.operands + c.operands + [Held](repeating: c.out, count: 12))[..<12])
          let a = Arrays(&r, count: 1, values: 12, inputs: 9, codes: [c], kinds: kinds)
          if a.code.count != 1 { continue }
          if let d = a.difference(&r, elements: n, shift: n % 5) { return XCTFail("level \(level): \(c.name), \(n) elements: \(d)") }
        }
      }
    }
  }

  private func programs(_ codes: [Code], _ rounds: Int, _ seed: UInt64, kinds: [Held] = kinds) {
    everyLevel { level in
      var r = Random(seed)
      let codes = codes.filter { VectorCode.takes(Int32($0.code)) }
      for round in 0 ..< rounds {
        let values = [8, 14, 30, 90, 300][r.below(5)], count = 1 + r.below(round % 10 == 9 ? 2000 : 200)
        let a = Arrays(&r, count: count, values: values, inputs: values / 3 + kinds.count, codes: codes, kinds: kinds)
        if a.code.isEmpty { continue }
        if let d = a.difference(&r, elements: r.below(200), shift: r.below(4)) { return XCTFail("level \(level), program \(round) of \(a.code.count): \(d)") }
      }
    }
  }
  func testPrograms() { programs(Code.all, 60, 5) }
  func testDoublePrograms() { programs(codes.filter { $0.name.hasSuffix("f64") && $0.operands.allSatisfy { $0 == .f64 || $0 == .bool } }, 60, 7, kinds: [.f64, .bool]) }
  func testFloatPrograms() { programs(codes.filter { $0.name.hasSuffix("f32") && $0.operands.allSatisfy { $0 == .f32 || $0 == .bool } }, 60, 9, kinds: [.f32, .bool]) }
  func testArithmeticPrograms() { programs(["add f64", "mul f64", "sub f64", "div f64", "neg f64"].map(Code.named), 40, 11, kinds: [.f64]) }

  func testMisuse() {
    let add = Code.named("add f64").code, exp = Code.named("exp f64").code
    func make(_ c: [ck_instr], _ pointers: [Int32], kept: [Int32]) -> VectorCode? {
      c.withUnsafeBufferPointer { c in
        pointers.map { VectorValue(pointer: $0) }.withUnsafeBufferPointer { p in
          kept.withUnsafeBufferPointer { k in
            VectorCode(parts: 1, values: pointers.count) { _ in
              VectorCode.Part(c.baseAddress, count: c.count, kept: k, values: p.baseAddress!, spills: Int32(pointers.count), elements: 100, multiple: 1)
            }
          }
        }
      }
    }
    func one(_ c: UInt16, _ x: Int32, _ y: Int32, _ out: Int32) -> ck_instr { ck_instr(code: c, pad: 0, x: x, y: y, z: 0, out: out) }
    XCTAssertNotNil(make([one(add, 0, 1, 2)], [0, 1, 2], kept: [2]))
    XCTAssertNil(make([one(add, 0, 1, 2)], [0, 1, -1], kept: [2]), "nowhere to store")
    XCTAssertNil(make([one(add, 0, 1, 2)], [0, -1, 2], kept: [2]), "nowhere to read")
    XCTAssertNil(make([one(add, 0, 3, 2)], [0, 1, 2], kept: [2]))
    XCTAssertNil(make([one(add, -1, 1, 2)], [0, 1, 2], kept: [2]))
    XCTAssertNil(make([one(exp, 0, 1, 2)], [0, 1, 2], kept: [2]), "a function")
    XCTAssertNil(make([one(65535, 0, 1, 2)], [0, 1, 2], kept: [2]))
    XCTAssertNil(make([], [0], kept: []))
    let before = ck_live_bytes()
    for k in 0 ..< 10 {
      ck_fail_after(Int64(k))
      XCTAssertEqual(make([one(add, 0, 1, 2)], [0, 1, 2], kept: [2]) == nil, k < 9, "\(k)")
    }
    ck_fail_after(-1)
    XCTAssertEqual(ck_live_bytes(), before)
  }
}
#endif
