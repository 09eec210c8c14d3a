import CKernels
import Foundation
import XCTest
@testable import Machine

/// The arm64 encoder: its instructions as objdump reads them, its programs under qemu.
final class ARM64Tests: XCTestCase {
  private func tool(_ name: String) throws -> String {
    guard let p = ["/usr/bin/", "/usr/local/bin/"].map({ $0 + name }).first(where: FileManager.default.isExecutableFile) else { throw XCTSkip("no \(name)") }
    return p
  }
  private func run(_ path: String, _ arguments: [String]) throws -> String {
    let p = Process(), pipe = Pipe()
    p.executableURL = URL(fileURLWithPath: path)
    p.arguments = arguments
    p.standardOutput = pipe
    try p.run()
    let out = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    p.waitUntilExit()
    XCTAssertEqual(p.terminationStatus, 0, "\(path) \(out)")
    return out
  }
  private func folder() throws -> URL {
    let f = FileManager.default.temporaryDirectory.appendingPathComponent("camber-arm64-\(getpid())")
    try FileManager.default.createDirectory(at: f, withIntermediateDirectories: true)
    return f
  }

  func testAgainstObjdump() throws {
    let objdump = try tool("aarch64-linux-gnu-objdump"), folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var e = ARM64(CodeBuffer(bytes: 1 << 20)!), expected: [String] = []
    func emit(_ s: String..., f: (inout ARM64) -> Void) { expected += s; f(&e) }
    for (d, n, m) in [(0, 1, 2), (31, 30, 29), (7, 16, 31)] {
      for f32 in [false, true] {
        let p = f32 ? "s" : "d", dn = "\(p)\(d), \(p)\(n)", dnm = dn + ", \(p)\(m)"
        emit("fadd \(dnm)") { $0.add(d, n, m, f32: f32) }
        emit("fsub \(dnm)") { $0.sub(d, n, m, f32: f32) }
        emit("fmul \(dnm)") { $0.mul(d, n, m, f32: f32) }
        emit("fdiv \(dnm)") { $0.div(d, n, m, f32: f32) }
        emit("fneg \(dn)") { $0.neg(d, n, f32: f32) }
        emit("fabs \(dn)") { $0.abs(d, n, f32: f32) }
        emit("fsqrt \(dn)") { $0.sqrt(d, n, f32: f32) }
        for (mode, name) in [(ARM64.Rounding.even, "n"), (.ceil, "p"), (.floor, "m"), (.trunc, "z")] { emit("frint\(name) \(dn)") { $0.round(mode, d, n, f32: f32) } }
        emit("fmov \(p)\(d), #1.000000000000000000e+00") { $0.one(d, f32: f32) }
        for (c, name) in [(ARM64.Comparison.eq, "eq"), (.ge, "ge"), (.gt, "gt")] { emit("fcm\(name) \(dnm)") { $0.compare(c, d, n, m, f32: f32) } }
        for (c, name) in [(ARM64.Zero.eq, "eq"), (.le, "le"), (.gt, "gt"), (.lt, "lt")] { emit("fcm\(name) \(dn), #0.0") { $0.compareZero(c, d, n, f32: f32) } }
        emit("scvtf \(p)\(d), x17") { $0.fromX17(d, wide: true, f32: f32) }
        emit("scvtf \(p)\(d), w17") { $0.fromX17(d, wide: false, f32: f32) }
        for load in [true, false] {
          let size = f32 ? ARM64.Size.word : .double
          emit("\(load ? "ld" : "st")r \(p)\(d), [x19]") { $0.transfer(d, 0, size, load: load, vector: true) }
          emit("\(load ? "ld" : "st")r \(p)\(d), [x19, #16376]") { $0.transfer(d, 2047, size, load: load, vector: true) }
          emit("mov w16, #0x80", "movk w16, #0x10, lsl #16", "add x16, x19, x16", "\(load ? "ld" : "st")r \(p)\(d), [x16]") {
            $0.transfer(d, 1 << 17 | 16, size, load: load, vector: true)
          }
        }
      }
      let v = "v\(d).8b, v\(n).8b", vm = v + ", v\(m).8b"
      emit("fcvt s\(d), d\(n)") { $0.toF32(d, n) }
      emit("fcvt d\(d), s\(n)") { $0.toF64(d, n) }
      emit("mov \(v)") { $0.move(d, n) }
      emit("and \(vm)") { $0.and(d, n, m) }
      emit("bic \(vm)") { $0.clear(d, n, m) }
      emit("orr \(vm)") { $0.or(d, n, m) }
      emit("orn \(vm)") { $0.orNot(d, n, m) }
      emit("eor \(vm)") { $0.xor(d, n, m) }
      emit("mvn \(v)") { $0.not(d, n) }
      emit("bsl \(vm)") { $0.choose(d, n, m) }
      emit("bit \(vm)") { $0.insert(d, n, where: m) }
      emit("bif \(vm)") { $0.insert(d, n, unless: m) }
      emit("dup v\(d).2s, v\(n).s[0]") { $0.duplicateLow32(d, n) }
      emit("movi v\(d).2s, #0x80, lsl #24") { $0.sign(d, f32: true) }
      emit("movi d\(d), #0x0", "fneg d\(d), d\(d)") { $0.sign(d, f32: false) }
      emit("fmov d\(d), x17") { $0.maskFromX17(d) }
      emit("fmov x17, d\(n)") { $0.maskToX17(n) }
    }
    emit("ldrb w17, [x19, #8]") { $0.transfer(17, 1, .byte, load: true, vector: false) }
    emit("strb w17, [x19, #8]") { $0.transfer(17, 1, .byte, load: false, vector: false) }
    emit("ldr x17, [x19, #8]") { $0.transfer(17, 1, .double, load: true, vector: false) }
    emit("ldr w17, [x19, #8]") { $0.transfer(17, 1, .word, load: true, vector: false) }
    emit("add x0, x19, #0x0") { $0.address(0, 0) }
    emit("add x3, x19, #0xff8") { $0.address(3, 511) }
    emit("mov w2, #0x1000", "movk w2, #0x0, lsl #16", "add x2, x19, x2") { $0.address(2, 512) }
    emit("cmp w17, #0x0", "csetm x17, ne") { $0.spreadW17() }
    emit("and w17, w17, #0x1") { $0.andW17One() }
    emit("mov x4, #0x1") { $0.setX4(1) }
    emit("mov x4, #0xffff") { $0.setX4(65535) }
    emit("mov x16, #0xdef0", "movk x16, #0x9abc, lsl #16", "movk x16, #0x5678, lsl #32", "movk x16, #0x1234, lsl #48") { $0.setX16(0x1234_5678_9ABC_DEF0) }
    emit("blr x16") { $0.callX16() }
    emit("ldr d3, [x9, #24]") { $0.transfer(3, 9, 24, .double, load: true, vector: true) }
    emit("add x16, x15, #0x1c", "str d3, [x16]") { $0.transfer(3, 15, 28, .double, load: false, vector: true) }
    emit("ldr x12, [x20, #32760]") { $0.transfer(12, 20, 32760, .double, load: true, vector: false) }
    emit("add x1, x9, #0x10") { $0.address(1, 9, 16) }
    emit("add x12, x12, x16") { $0.addX16(12) }
    emit("stp x29, x30, [sp, #-48]!", "mov x29, sp", "stp x19, x20, [sp, #16]", "str x21, [sp, #32]", "mov x19, x0", "mov x20, x1", "mov x21, x2") { $0.enterFrame() }
    emit("ldr x21, [sp, #32]", "ldp x19, x20, [sp, #16]", "ldp x29, x30, [sp], #48") { $0.leaveFrame() }
    emit("prfm plil2keep, 0x\(String(e.buffer.count + 16384, radix: 16))") { $0.prefetch(16384) }
    emit("ret") { $0.ret() }
    emit("brk #0x0") { $0.trap() }
    let file = folder.appendingPathComponent("code.bin")
    try Data(bytes: e.buffer.base, count: e.buffer.count).write(to: file)
    e.buffer.release()
    let got: [String] = try run(objdump, ["-D", "-b", "binary", "-m", "aarch64", file.path]).split(separator: "\n").compactMap { line in
      let f = line.split(separator: "\t")
      if f.count < 3 { return nil }
      let s = f[2...].joined(separator: " ")
      return String(s.split(separator: "/")[0]).trimmingCharacters(in: .whitespaces)
    }
    XCTAssertEqual(got.count, expected.count)
    for (g, x) in zip(got, expected) where g != x { return XCTFail("\(g), not \(x)") }
  }

  /// Programs with calls of exact integer kernels, which overwrite every vector register.
  func testUnderQemu() throws {
    let gcc = try tool("aarch64-linux-gnu-gcc"), qemu = try tool("qemu-aarch64"), folder = try folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let called = ["add i64", "sub i64", "mul i64"].map(Code.named)
    let codes = Code.all.filter { c in
      let o = Operations.table[Int(c.code)]
      return o.op != .call || called.contains { $0.code == c.code }
    }
    var r = Random(29), samples: [Sample] = []
    let kinds: [Held] = [.f64, .f32, .bool, .i64, .i32]
    for c in codes { for _ in 0 ..< 20 { samples.append(Sample(&r, count: 1, slots: 8, codes: [c])) } }
    for round in 0 ..< 300 {
      samples.append(Sample(&r, count: round % 10 == 0 ? 2000 : 1 + r.below(200), slots: [9, 30, 90, 600, 3000][round % 5], constants: 2, codes: codes,
                            kinds: kinds))
    }
    for round in 0 ..< 300 {
      samples.append(Sample(moving: &r, count: round % 10 == 0 ? 2000 : 1 + r.below(200), slots: [9, 30, 90, 600, 3000][round % 5], codes: codes, kinds: kinds, halves: false))
    }
    var file = Data()
    func put(_ v: UInt64) { withUnsafeBytes(of: v) { file.append(contentsOf: $0) } }
    put(UInt64(samples.count))
    for s in samples {
      var t = try XCTUnwrap(Translator(ARM64(try XCTUnwrap(CodeBuffer(bytes: 4096))), slots: s.before.count, longest: s.code.count))
      t.kernel = { code in 0x4000_0000 + 16 * UInt(called.firstIndex { Int($0.code) == code } ?? 99) }
      let start = s.code.withUnsafeBufferPointer { c in
        s.transfers.withUnsafeBufferPointer { m in s.kept.withUnsafeBufferPointer { t.part(c.baseAddress, c.count, kept: $0, transfers: m, eager: s.code.count % 2 == 0) } }
      }
      XCTAssertEqual(start, 0)
      put(UInt64(t.target.buffer.count))
      put(UInt64(s.before.count))
      file.append(t.target.buffer.base, count: t.target.buffer.count)
      s.before.forEach(put)
      for words in [s.inputs, s.outputs] {
        put(UInt64(words.count))
        for w in words { put(UInt64(w.count)); w.forEach(put) }
      }
      t.target.buffer.release()
      t.release()
    }
    let input = folder.appendingPathComponent("in"), output = folder.appendingPathComponent("out"), source = folder.appendingPathComponent("host.c")
    try file.write(to: input)
    try Data(ARM64Tests.host.utf8).write(to: source)
    _ = try run(gcc, ["-O1", "-static", source.path, "-o", folder.appendingPathComponent("host").path])
    _ = try run(qemu, [folder.appendingPathComponent("host").path, input.path, output.path])
    let data = try Data(contentsOf: output)
    var at = 0
    for (n, s) in samples.enumerated() {
      let (want, stored) = s.kernels()
      for w in stored.joined() {
        let got = data.subdata(in: at ..< at + 8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        at += 8
        if got != w, !Sample.areNaN(got, w) { return XCTFail("program \(n) of \(s.code.count), stored: \(String(got, radix: 16)), not \(String(w, radix: 16))") }
      }
      for k in 0 ..< s.before.count {
        let got = data.subdata(in: at ..< at + 8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        at += 8
        if !s.kept.contains(Int32(k)) { continue }
        let same: Bool
        switch s.types[k] {   // NaNs differ between the architectures
        case .f64: same = got == want[k] || Double(bitPattern: got).isNaN && Double(bitPattern: want[k]).isNaN
        case .f32:
          let a = UInt32(truncatingIfNeeded: got), b = UInt32(truncatingIfNeeded: want[k])
          same = a == b || Float(bitPattern: a).isNaN && Float(bitPattern: b).isNaN
        case .bool: same = UInt8(truncatingIfNeeded: got) == UInt8(truncatingIfNeeded: want[k])
        case .i32: same = UInt32(truncatingIfNeeded: got) == UInt32(truncatingIfNeeded: want[k])
        default: same = got == want[k] || !s.transfers.isEmpty && Sample.areNaN(got, want[k])
        }
        if !same { return XCTFail("program \(n) of \(s.code.count) (\(s.names.prefix(3))), slot \(k) \(s.types[k]): \(String(got, radix: 16)), not \(String(want[k], radix: 16))") }
      }
    }
    XCTAssertEqual(at + 8, data.count)
    XCTAssertEqual(data.suffix(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }, 0, "d8 to d15 or x19 changed")
  }

  private static let host = """
  #include <stdint.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  #include <sys/mman.h>
  #define LOST "v0","v1","v2","v3","v4","v5","v6","v7","v16","v17","v18","v19","v20","v21","v22","v23","v24","v25","v26","v27","v28","v29","v30","v31"
  static void spoil(void) {
    __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\\n movi v\\\\n\\\\().16b, 0xAA\\n .endr" ::: LOST, "x16", "x17");
    if ((uintptr_t)__builtin_frame_address(0) & 15) abort();
  }
  static void add(const uint64_t *x, const uint64_t *y, const void *z, uint64_t *o, size_t n) { if (n != 1) abort(); *o = *x + *y; spoil(); }
  static void sub(const uint64_t *x, const uint64_t *y, const void *z, uint64_t *o, size_t n) { if (n != 1) abort(); *o = *x - *y; spoil(); }
  static void mul(const uint64_t *x, const uint64_t *y, const void *z, uint64_t *o, size_t n) { if (n != 1) abort(); *o = *x * *y; spoil(); }
  int main(int argc, char **argv) {
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    uint32_t *table = mmap((void *)0x40000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    void *f[] = {add, sub, mul};
    for (int i = 0; i < 3; i++) { table[4 * i] = 0x58000051; table[4 * i + 1] = 0xD61F0220; memcpy(table + 4 * i + 2, f + i, 8); }
    __builtin___clear_cache((char *)table, (char *)table + 4096);
    mprotect(table, 4096, PROT_READ | PROT_EXEC);
    uint64_t programs, bytes, slots, changed = 0;
    if (!fread(&programs, 8, 1, in)) return 1;
    while (programs--) {
      if (!fread(&bytes, 8, 1, in) || !fread(&slots, 8, 1, in)) return 1;
      uint64_t *s = malloc(8 * slots);
      void *code = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (fread(code, 1, bytes, in) != bytes || fread(s, 8, slots, in) != slots) return 1;
      mprotect(code, bytes, PROT_READ | PROT_EXEC);
      __builtin___clear_cache(code, (char *)code + bytes);
      register double d8 __asm__("d8") = 1.5, d15 __asm__("d15") = 2.5;
      __asm__ volatile("" : "+w"(d8), "+w"(d15));
      uint64_t counts[2], *lists[2][8];
      for (int l = 0; l < 2; l++) {
        if (!fread(counts + l, 8, 1, in) || counts[l] > 8) return 1;
        for (uint64_t i = 0, n; i < counts[l]; i++) {
          if (!fread(&n, 8, 1, in)) return 1;
          lists[l][i] = malloc(8 * n + 8), lists[l][i][0] = n;
          if (fread(lists[l][i] + 1, 8, n, in) != n) return 1;
          lists[l][i]++;
        }
      }
      ((void (*)(uint64_t *, uint64_t **, uint64_t **))code)(s, lists[0], lists[1]);
      __asm__ volatile("" : "+w"(d8), "+w"(d15));
      changed |= d8 != 1.5 || d15 != 2.5;
      for (uint64_t i = 0; i < counts[1]; i++) fwrite(lists[1][i], 8, lists[1][i][-1], out);
      fwrite(s, 8, slots, out);
      munmap(code, bytes), free(s);
    }
    fwrite(&changed, 8, 1, out);
    return fclose(out);
  }
  """
}
