#if arch(x86_64)
import Foundation
import XCTest
@testable import Machine

/// Every instruction that the encoder emits, as objdump reads it.
final class EncodingTests: XCTestCase {
  private var e: X86!
  private var expected: [String] = []

  private func text(_ p: X86.Place, _ width: String) -> String {
    switch p {
    case .register(let r): return "xmm\(r)"
    case .home(let s):
      let d = Int(s) * 8 - 128
      return "\(width) PTR [\(e.base)\(d < 0 ? "-" : "+")0x\(String(abs(d), radix: 16))]"
    case .memory(let p, let d): return "\(width) PTR [\(p)\(d < 0 ? "-" : "+")0x\(String(abs(Int(d)), radix: 16))]"
    case .literal(let k): return "\(width) PTR [rip] # 0x\(String(k.rawValue * 16, radix: 16))"
    }
  }
  private func emit(_ s: String, _ f: (inout X86) -> Void) {
    while e.buffer.room < 64 { XCTAssertTrue(e.buffer.grow()) }
    expected.append(s)
    f(&e)
  }

  func testAgainstObjdump() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/objdump") else { throw XCTSkip("no objdump") }
    e = X86(CodeBuffer(bytes: 4096)!)
    e.wide = false
    let start = e.buffer.count
    let low = [0, 7, 8, 15], homes: [X86.Place] = [.home(0), .home(31), .home(32), .home(1 << 26), .memory(.rcx, 8), .memory(.r9, 0), .memory(.r11, 1 << 29), .memory(.r8, -128)]
    let registers = low.map { X86.Place.register($0) }
    for f32 in [false, true] {
      let s = f32 ? "ss" : "sd", width = f32 ? "DWORD" : "QWORD"
      for d in low {
        for m in homes + [.literal(f32 ? .one32 : .one64)] {
          emit("vmov\(s) xmm\(d),\(text(m, width))") { $0.load(d, m, f32: f32) }
        }
        for m in homes { emit("vmov\(s) \(text(m, width)),xmm\(d)") { $0.store(d, m, f32: f32) } }
        for a in low {
          for b in registers + homes {
            for (op, name) in [(0x58, "add"), (0x59, "mul"), (0x5C, "sub"), (0x5D, "min"), (0x5E, "div"), (0x5F, "max"), (0x51, "sqrt")] {
              emit("v\(name)\(s) xmm\(d),xmm\(a),\(text(b, width))") { $0.arithmetic(UInt64(op), d, a, b, f32: f32) }
            }
            for (c, name) in [(X86.Comparison.eq, "eq"), (.lt, "lt"), (.le, "le"), (.unordered, "unord"), (.ne, "neq"), (.ordered, "ord"), (.neOrdered, "neq_oq"),
                              (.ge, "ge"), (.gt, "gt")] {
              emit("vcmp\(name)\(s) xmm\(d),xmm\(a),\(text(b, width))") { $0.compare(c, d, a, b, f32: f32) }
            }
          }
          for b in registers {
            for mask in low { emit("vblendvp\(f32 ? "s" : "d") xmm\(d),xmm\(a),\(text(b, "")),xmm\(mask)") { $0.blend(d, a, b, mask: mask, f32: f32) } }
          }
          for (mode, n) in [(X86.Rounding.even, 8), (.floor, 9), (.ceil, 10), (.trunc, 11)] {
            emit("vround\(s) xmm\(d),xmm\(a),xmm\(a),0x\(String(n, radix: 16))") { $0.round(mode, d, a, f32: f32) }
          }
        }
        for m in homes {
          emit("vcvtsi2\(s) xmm\(d),xmm\(d),\(text(m, "QWORD"))") { $0.fromInteger(d, m, wide: true, f32: f32) }
          emit("vcvtsi2\(s) xmm\(d),xmm\(d),\(text(m, "DWORD"))") { $0.fromInteger(d, m, wide: false, f32: f32) }
        }
      }
    }
    for d in low {
      for m in homes {
        emit("vmovupd \(text(m, "YMMWORD")),ymm\(d)") { $0.storeWide(d, m) }
        emit("vmovupd \(text(m, "XMMWORD")),xmm\(d)") { $0.storeHalf(d, m) }
      }
      for a in low {
        emit("vbroadcastsd ymm\(d),xmm\(a)") { $0.broadcast(d, a, f32: false) }
        emit("vbroadcastss ymm\(d),xmm\(a)") { $0.broadcast(d, a, f32: true) }
        emit("vmovaps xmm\(d),xmm\(a)") { $0.move(d, a) }
        emit("vmovsldup xmm\(d),xmm\(a)") { $0.duplicateLow32(d, a) }
        emit("vcvtsd2ss xmm\(d),xmm\(a),xmm\(a)") { $0.toF32(d, a) }
        emit("vcvtss2sd xmm\(d),xmm\(a),xmm\(a)") { $0.toF64(d, a) }
        for b in registers + [.literal(.sign64), .literal(.rest64), .literal(.sign32), .literal(.rest32), .literal(.ones)] {
          for (op, name) in [(0x54, "and"), (0x55, "andn"), (0x56, "or"), (0x57, "xor")] {
            emit("v\(name)pd xmm\(d),xmm\(a),\(text(b, "XMMWORD"))") { $0.bits(UInt64(op), d, a, b) }
          }
        }
      }
      emit("vmovq xmm\(d),rax") { $0.maskFromRAX(d) }
      emit("vmovd eax,xmm\(d)") { $0.maskToEAX(d) }
    }
    for m in homes {
      emit("cmp al,\(text(m, "BYTE"))") { $0.compareAL(m) }
      emit("mov \(text(m, "BYTE")),al") { $0.storeAL(m) }
      for r in [X86.General.rcx, .r8, .r11] { emit("mov \(r),\(text(m, "QWORD"))") { $0.pointer(r, m) } }
      for r in [X86.General.rdi, .rsi, .rdx, .rcx, .rax, .r10] { emit("lea \(r),\(text(m, "").dropFirst(5))") { $0.address(r, m) } }
    }
    e.wide = true
    for d in low {
      for a in low {
        emit("vbroadcastsd zmm\(d),xmm\(a)") { $0.broadcast(d, a, f32: false) }
        emit("vbroadcastss zmm\(d),xmm\(a)") { $0.broadcast(d, a, f32: true) }
        for b in low {
          emit("vunpcklpd xmm\(d),xmm\(a),xmm\(b)") { $0.join(d, a, b, f32: false) }
          emit("vunpcklps xmm\(d),xmm\(a),xmm\(b)") { $0.join(d, a, b, f32: true) }
        }
        for f32 in [false, true] {
          let s = f32 ? "ss" : "sd"
          for (op, name) in [(0x58, "add"), (0x59, "mul"), (0x5C, "sub"), (0x5E, "div"), (0x51, "sqrt")] {
            for b in low { emit("v\(name)\(s) xmm\(d),xmm\(a),xmm\(b){rn-sae}") { $0.stillArithmetic(UInt64(op), d, a, .register(b), f32: f32) } }
            for b in homes + [.memory(.r10, 512), .literal(f32 ? .one32 : .one64)] {
              expected.append("vmov\(s) xmm31,\(text(b, f32 ? "DWORD" : "QWORD"))")
              emit("v\(name)\(s) xmm\(d),xmm\(a),xmm31{rn-sae}") { $0.stillArithmetic(UInt64(op), d, a, b, f32: f32) }
            }
          }
        }
      }
      for m in homes + [.memory(.rcx, 64), .memory(.r11, -640), .memory(.r9, 8128)] { emit("vmovupd \(text(m, "ZMMWORD")),zmm\(d)") { $0.storeWidest(d, m) } }
    }
    emit("vzeroupper") { $0.narrow() }
    let count = e.buffer.count
    e.narrow()   // upper halves are clean: nothing
    XCTAssertEqual(e.buffer.count, count)
    emit("xor eax,eax") { $0.clearEAX() }
    emit("sbb rax,rax") { $0.spreadBorrow() }
    emit("and eax,0x1") { $0.andEAX1() }
    emit("mov r8d,0x1") { $0.setR8D(1) }
    emit("mov r8d,0xfedcba98") { $0.setR8D(0xFEDC_BA98) }
    emit("movabs rax,0x123456789abcdef0") { $0.setRAX(0x1234_5678_9ABC_DEF0) }
    emit("call rax") { $0.callRAX() }
    emit("add rcx,rax") { $0.addRAX(.rcx) }
    emit("add r10,rax") { $0.addRAX(.r10) }
    for s in ["push rbx", "push rbp", "push r14", "mov rbp,rsi"] { expected.append(s) }
    emit("mov r14,rdx") { $0.saveArguments() }
    emit("add rdi,0x80") { $0.setBase() }
    e.base = .rbx
    emit("lea rbx,[rdi+0x80]") { $0.setBase() }
    e.origin = 128 + 8 * 1000
    emit("vmovsd xmm3,QWORD PTR [rbx-0x80]") { $0.load(3, .home(1000), f32: false) }
    emit("lea rbx,[rdi+0x1fc0]") { $0.setBase() }
    e.origin = 128
    for m in homes { emit("vmovsd xmm9,\(text(m, "QWORD"))") { $0.load(9, m, f32: false) } }
    emit("prefetcht1 BYTE PTR [rip] # 0x\(String(e.buffer.count + 7 + 16384, radix: 16))") { $0.prefetch(16384) }
    emit("int3") { $0.trap() }
    for s in ["pop r14", "pop rbp"] { expected.append(s) }
    emit("pop rbx") { $0.restoreRegisters() }
    emit("ret") { $0.ret() }

    let got = try disassemble(UnsafeRawBufferPointer(start: e.buffer.base, count: e.buffer.count), from: start)
    e.buffer.release()
    XCTAssertEqual(got.count, expected.count)
    for (g, x) in zip(got.map { $0.replacingOccurrences(of: ",{", with: "{") }, expected) where g != x { return XCTFail("\(g), not \(x)") }
  }
}

/// The instructions from `start`, as objdump prints them.
func disassemble(_ code: UnsafeRawBufferPointer, from start: Int) throws -> [String] {
  let file = FileManager.default.temporaryDirectory.appendingPathComponent("camber-\(getpid()).bin")
  try Data(code).write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  let p = Process(), pipe = Pipe()
  p.executableURL = URL(fileURLWithPath: "/usr/bin/objdump")
  p.arguments = ["-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--insn-width=16", "--start-address=\(start)", file.path]
  p.standardOutput = pipe
  try p.run()
  let out = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  p.waitUntilExit()
  return out.split(separator: "\n").compactMap { line in
    let f = line.split(separator: "\t")
    if f.count != 3 { return nil }
    var words = f[2].split(separator: " ", omittingEmptySubsequences: true)
    if words.first == "{evex}" { words.removeFirst() }   // where VEX would do
    var s = words.count > 1 ? words[0] + " " + words[1...].joined(separator: " ") : String(words.first ?? "")
    if let r = s.range(of: #"\[rip\+0x[0-9a-f]+\]"#, options: .regularExpression) { s.replaceSubrange(r, with: "[rip]") }
    return s
  }
}
#endif
