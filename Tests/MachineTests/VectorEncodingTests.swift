#if arch(x86_64)
import Foundation
import XCTest
@testable import Machine

/// Every instruction that the encoder of vector code emits, as objdump reads it.
final class VectorEncodingTests: XCTestCase {
  private var e: X86Vector!
  private var expected: [String] = []

  private func emit(_ s: String, _ f: (inout X86Vector) -> Void) {
    while e.buffer.room < 64 { XCTAssertTrue(e.buffer.grow()) }
    expected.append(s)
    f(&e)
  }
  private let words = ["XMMWORD", "YMMWORD", "ZMMWORD"]
  private func name(_ length: Int, _ r: Int) -> String { "\(["xmm", "ymm", "zmm"][length])\(r)" }
  private func text(_ a: VectorAddress, _ width: String) -> String {
    let base = X86Vector.General(rawValue: UInt64(a.base)).map { "\($0)" } ?? "?"
    var s = a.scale >= 0 ? "\(base)+rsi*\(1 << Int(a.scale))" : base
    let d = a.displacement
    // rbp and r13 have no form without a displacement; objdump prints the 0 of those with an index.
    if d != 0 || (a.base & 7 == 5) { s += "\(d < 0 ? "-" : "+")0x\(String(abs(d), radix: 16))" }
    return "\(width) \(a.spread ? "BCST" : "PTR") [\(s)]"
  }
  private func text(_ p: X86Vector.Place, _ length: Int, _ f32: Bool) -> String {
    switch p {
    case .register(let r): name(length, r)
    case .memory(let a): text(a, a.spread ? (f32 ? "DWORD" : "QWORD") : words[length])
    case .literal(let l): "\(words[length]) PTR [rip] # 0x\(String(l.rawValue * 64, radix: 16))"
    }
  }
  private func check() throws {
    let got = try disassemble(UnsafeRawBufferPointer(start: e.buffer.base, count: e.buffer.count), from: X86Vector.Literal.allCases.count * 64)
    e.buffer.release()
    XCTAssertEqual(got.count, expected.count)
    for (g, x) in zip(got, expected) where g != x { return XCTFail("\(g), not \(x)") }
    expected = []
  }
  private func masked(_ k: Int, _ zeroing: Bool = false) -> String { k == 0 ? "" : "{k\(k)}\(zeroing ? "{z}" : "")" }

  func testAgainstObjdump() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/objdump") else { throw XCTSkip("no objdump") }
    for wide in [false, true] {
      e = X86Vector(CodeBuffer(bytes: 16384)!, wide: wide)
      e.lanes = 8
      let low = wide ? [0, 9, 18, 31] : [0, 7, 8, 15], lengths = wide ? [0, 1, 2] : [0, 1], bases: [UInt8] = [0, 1, 3, 5, 8, 12, 13, 15]
      var addresses: [VectorAddress] = []
      for b in bases {
        for scale in [-1, 0, 2, 3] as [Int8] { for d in [0, 64, 192, 100_000, -64, 4] { addresses.append(VectorAddress(base: b, scale: scale, displacement: d)) } }
      }
      for f32 in [false, true] {
        let s = f32 ? "ps" : "pd"
        for l in lengths {
          let some = addresses.enumerated().filter { $0.offset % 11 == l }.map { X86Vector.Place.memory($0.element) }
          let spread = wide ? bases.map { X86Vector.Place.memory(VectorAddress(base: $0, spread: true)) } : []
          let places = low.map { X86Vector.Place.register($0) } + some + spread.map { $0 } + [.literal(.one64)]
          let lanes = (16 << l) / (f32 ? 4 : 8)
          func full(_ p: X86Vector.Place) -> String {
            // objdump 2.40 names the lanes where it prints no BCST.
            text(p, l, f32)
          }
          _ = lanes
          for d in low {
            for a in low {
              for p in places {
                for (op, n) in [(0x58, "add"), (0x59, "mul"), (0x5C, "sub"), (0x5D, "min"), (0x5E, "div"), (0x5F, "max"), (0x54, "and"), (0x55, "andn"), (0x56, "or"), (0x57, "xor")] {
                  emit("v\(n)\(s) \(name(l, d)),\(name(l, a)),\(full(p))") { $0.arithmetic(UInt64(op), l, d, a, p, f32: f32) }
                }
                for (c, n) in [(X86Vector.Comparison.eq, "eq"), (.lt, "lt"), (.le, "le"), (.unordered, "unord"), (.ne, "neq"), (.notLE, "nle"), (.ordered, "ord"), (.neOrdered, "neq_oq"), (.ge, "ge"), (.gt, "gt")] {
                  let k = d & 7
                  emit("vcmp\(n)\(s) \(wide ? "k\(k)" : name(l, d)),\(name(l, a)),\(full(p))") { $0.compare(c, l, wide ? k : d, a, p, f32: f32) }
                }
                if wide { emit("vblendm\(s) \(name(l, d)){k3},\(name(l, a)),\(full(p))") { $0.blend(l, d, a, p, k: 3, f32: f32) } }
              }
              if wide {
                emit("vmul\(s) \(name(l, d)){k5}{z},\(name(l, a)),\(name(l, 20))") { $0.arithmetic(0x59, l, d, a, .register(20), f32: f32, k: 5, zeroing: true) }
                emit("vor\(s) \(name(l, d)){k7},\(name(l, a)),\(name(l, 20))") { $0.arithmetic(0x56, l, d, a, .register(20), f32: f32, k: 7) }
                emit("vcmpord\(s) k7{k7},\(name(l, a)),\(name(l, d))") { $0.compare(.ordered, l, 7, a, .register(d), f32: f32, k: 7) }
                emit("vfpclass\(s) k7,\(name(l, a)),0x99") { $0.unbounded(l, k: 7, a, f32: f32) }
              } else {
                for m in low { emit("vblendv\(s) \(name(l, d)),\(name(l, a)),\(name(l, 8)),\(name(l, m))") { $0.blend(l, d, a, .register(8), mask: m, f32: f32) } }
              }
              emit("vmovapd \(name(l, d)),\(name(l, a))") { $0.move(l, d, .register(a)) }
              emit("vsqrt\(s) \(name(l, d)),\(name(l, a))") { $0.sqrt(l, d, .register(a), f32: f32) }
              for (mode, n) in [(X86Vector.Rounding.even, 8), (.floor, 9), (.ceil, 10), (.trunc, 11)] {
                emit("\(wide ? "vrndscale" : "vround")\(s) \(name(l, d)),\(name(l, a)),0x\(String(n, radix: 16))") { $0.round(mode, l, d, .register(a), f32: f32) }
              }
            }
            for p in some {
              emit("vmovup\(f32 ? "s" : "d") \(name(l, d)),\(full(p))") { $0.load(l, d, p, f32: f32) }
              emit("vmovup\(f32 ? "s" : "d") \(full(p)),\(name(l, d))") { $0.store(l, d, p, f32: f32) }
              if wide {
                emit("vmovup\(f32 ? "s" : "d") \(name(l, d)){k6}{z},\(full(p))") { $0.load(l, d, p, f32: f32, k: 6) }
                emit("vmovup\(f32 ? "s" : "d") \(full(p)){k6},\(name(l, d))") { $0.store(l, d, p, f32: f32, k: 6) }
              }
              emit("vmovntp\(f32 ? "s" : "d") \(full(p)),\(name(l, d))") { $0.stream(l, d, p, f32: f32) }
              if f32 || l > 0, case .memory(let a) = p { emit("vbroadcasts\(f32 ? "s" : "d") \(name(l, d)),\(text(a, f32 ? "DWORD" : "QWORD"))") { $0.spread(l, d, p, f32: f32) } }
            }
            if wide {
              emit("vmovap\(f32 ? "s" : "d") \(name(l, d)){k4}{z},\(full(.literal(.one64)))") { $0.move(l, d, .literal(.one64), f32: f32, k: 4, zeroing: true) }
              emit("vmovap\(f32 ? "s" : "d") \(name(l, d)){k7},\(name(l, 17))") { $0.move(l, d, .register(17), f32: f32, k: 7) }
            }
          }
        }
      }
      let l = wide ? 2 : 1
      for d in low {
        for a in low {
          emit("vcvtpd2ps \(name(l - 1, d)),\(name(l, a))") { $0.toF32(l, d, a) }
          emit("vcvtps2pd \(name(l, d)),\(name(l - 1, a))") { $0.toF64(l, d, a) }
          emit("vcvtdq2pd \(name(l, d)),\(name(l - 1, a))") { $0.fromI32(l, d, a, f32: false) }
          emit("vcvtdq2ps \(name(l, d)),\(name(l, a))") { $0.fromI32(l, d, a, f32: true) }
          if wide {
            emit("vcvtqq2pd \(name(l, d)),\(name(l, a))") { $0.fromI64(l, d, a, f32: false) }
            emit("vcvtqq2ps \(name(l - 1, d)),\(name(l, a))") { $0.fromI64(l, d, a, f32: true) }
          } else {
            emit("vpmovsxdq \(name(1, d)),\(name(0, a))") { $0.widenMask(d, a) }
            emit("vextractf128 \(name(0, d)),\(name(1, a)),0x1") { $0.narrowMask(d, a) }
            expected.append("vshufps \(name(0, d)),\(name(0, a)),\(name(0, d)),0x88")
          }
        }
        for a in addresses where !wide {
          for long in [true, false] {
            e.long = long
            let g = long ? "q" : "d"
            emit("vpmovzxb\(g) \(name(1, d)),\(text(a, long ? "DWORD" : "QWORD"))") { $0.maskFromBytes(d, .memory(a)) }
            expected.append("vpcmpgt\(g) \(name(1, d)),\(name(1, d)),YMMWORD PTR [rip] # 0x0")
            let t = name(0, 11), s = name(1, d)
            emit("vextracti128 \(t),\(s),0x1") { $0.storeBytes(d, .memory(a), 11) }
            expected.append("vpackssdw \(t),\(name(0, d)),\(t)")
            if long { expected.append("vpackssdw \(t),\(t),\(t)") }
            expected += ["vpacksswb \(t),\(t),\(t)", "vpabsb \(t),\(t)", long ? "vmovd \(text(a, "DWORD")),\(t)" : "vmovq \(text(a, "QWORD")),\(t)"]
          }
        }
        if !wide { continue }
        for a in addresses {
          for lanes in [8, 16] {
            e.lanes = lanes
            emit(lanes == 8 ? "vmovq \(name(0, d)),\(text(a, "QWORD"))" : "vmovdqu8 \(name(0, d)),\(text(a, "XMMWORD"))") { $0.bytes(load: d, .memory(a), k: 0) }
            emit(lanes == 8 ? "vmovq \(text(a, "QWORD")),\(name(0, d))" : "vmovdqu8 \(text(a, "XMMWORD")),\(name(0, d))") { $0.bytes(store: d, .memory(a), k: 0) }
            emit("vmovdqu8 \(name(0, d)){k6}{z},\(text(a, "XMMWORD"))") { $0.bytes(load: d, .memory(a), k: 6) }
            emit("vmovdqu8 \(text(a, "XMMWORD")){k6},\(name(0, d))") { $0.bytes(store: d, .memory(a), k: 6) }
          }
          emit("kmovw k3,\(text(a, "WORD"))") { $0.moveMask(3, .memory(a)) }
          emit("kmovw \(text(a, "WORD")),k3") { $0.storeMask(3, .memory(a)) }
        }
        for k in 1 ..< 8 {
          emit("vptestmb k\(k),\(name(0, d)),\(name(0, d))") { $0.maskFromBytes(k, d) }
          emit("vpmovm2b \(name(0, d)),k\(k)") { $0.bytesFromMask(d, k) }
          expected.append("vpabsb \(name(0, d)),\(name(0, d))")
        }
      }
      if wide {
        for (op, n) in [(0x41, "kandw"), (0x42, "kandnw"), (0x45, "korw"), (0x47, "kxorw")] { emit("\(n) k1,k7,k4") { $0.masks(UInt64(op), 1, 7, 4) } }
        emit("knotw k6,k2") { $0.masks(0x44, 6, 0, 2) }
        emit("kmovw k6,k1") { $0.moveMask(6, .register(1)) }
        emit("or r11d,0xffffffff") { $0.countLanes() }
        expected += ["bzhi r11d,r11d,eax", "kmovw k6,r11d"]
      }
      for r in [X86Vector.General.rax, .rcx, .rbp, .r8, .r12, .r13, .r15] {
        for index in [1, 15, 16, 100_000] { emit("mov \(r),QWORD PTR [rdi+0x\(String(index * 8, radix: 16))]") { $0.pointer(r, index) } }
        emit("push \(r)") { $0.push(r) }
        emit("pop \(r)") { $0.pop(r) }
      }
      emit("lea rax,[rsi+0x20]") { $0.ahead(32) }
      expected.append("cmp rax,rdx")
      emit("cmp rsi,rdx") { $0.compareIndex() }
      emit("add rsi,0x10") { $0.advance(16) }
      emit("mov rax,rdx") { $0.remaining() }
      expected.append("sub rax,rsi")
      for (c, n) in [(X86Vector.Condition.greater, "jg"), (.lessOrEqual, "jle"), (.greaterOrEqual, "jge"), (.notEqual, "jne")] {
        let at = e.buffer.count
        emit("\(n) 0x\(String(at, radix: 16))") { $0.jump(c, to: at) }
      }
      let at = e.buffer.count
      emit("jmp 0x\(String(at - 16, radix: 16))") { $0.jump(to: at - 16) }
      for a in addresses {
        emit("lea rax,\(text(a, "").split(separator: " ")[1])") { $0.testAlignment(a) }
        expected.append("test al,0x3f")
      }
      emit("sfence") { $0.fence() }
      emit("vzeroupper") { $0.clearUpper() }
      emit("int3") { $0.trap() }
      emit("ret") { $0.ret() }
      try check()
    }
  }
}
#endif
