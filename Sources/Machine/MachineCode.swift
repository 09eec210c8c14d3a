package import CKernels

#if arch(x86_64)
typealias Native = X86
#elseif arch(arm64)
typealias Native = ARM64
#endif

/// Scalar programs as machine code: what `ck_scalar_run` gives, to the bit. Several programs over the same slots lie in one
/// mapping. Runs on any number of threads; each needs its own slots.
package final class MachineCode {
  /// One program. After it, the slots in `kept` hold their values; the others hold anything.
  package struct Part {
    package let code: UnsafePointer<ck_instr>?
    package let count: Int
    package let kept: UnsafeBufferPointer<Int32>   // where some are, loads are eager
    package let near: Int32                        // the first of the slots that are used most
    package init(_ code: UnsafePointer<ck_instr>?, count: Int, kept: UnsafeBufferPointer<Int32>, near: Int32 = 0) {
      self.near = near
      self.code = code
      self.count = count
      self.kept = kept
    }
  }
  package typealias Function = @convention(c) (UnsafeMutablePointer<UInt64>?, UnsafePointer<UnsafeRawPointer?>?, UnsafePointer<UnsafeMutableRawPointer?>?) -> Void
  private let pages: Pages
  /// By part, as long as this lives.
  package let entries: UnsafePointer<Function>
  package let bytes: Int
  /// One part that reads nothing of the floating-point environment but whether small numbers are kept (`ck_gradual`), and leaves no trace in it.
  package let silent: Bool

  /// Numbers that one fill writes at most.
  package static let mostFilled = 64

  /// Whether this machine runs what is written here.
  package static var available: Bool {
    #if arch(x86_64)
    ck_level() >= 1
    #elseif arch(arm64)
    true
    #else
    false
    #endif
  }

  /// Whether an instruction of this code is a call of its kernel.
  package static func calls(_ code: Int32) -> Bool { code >= 0 && Int(code) < Operations.count && Operations.table[Int(code)].op == .call }

  /// Nil when the machine has no AVX2, the host forbids executable pages, memory is refused, or the code is not sound: an
  /// unknown instruction, a slot outside 0 ..< slots, no such transfer. `eager` where a store may change what a later load reads.
  package init?(parts: Int, slots: Int, transfers: UnsafeBufferPointer<ck_transfer> = .init(start: nil, count: 0), eager: Bool = false, _ part: (Int) -> Part) {
    #if arch(x86_64) || arch(arm64)
    guard MachineCode.available, parts >= 0, slots >= 0, slots == 0 || Native.reaches(Int32(clamping: slots - 1)) else { return nil }
    var total = 0, longest = 0
    for n in 0 ..< parts {
      let count = part(n).count
      guard count >= 0, count < Int(Int32.max), count == 0 || part(n).code != nil else { return nil }
      total += count
      if part(n).near < 0 || Int(part(n).near) > slots { return nil }
      longest = max(longest, count)
    }
    guard let buffer = CodeBuffer(bytes: 4096 + 8 * total),
          let offsets = ck_alloc(max(parts, 1) * 8)?.bindMemory(to: Function.self, capacity: max(parts, 1)) else { return nil }
    guard var t = Translator(Native(buffer), slots: slots, longest: longest) else {
      buffer.release()
      ck_free(offsets)
      return nil
    }
    defer { t.release() }
    let at = UnsafeMutableRawPointer(offsets).assumingMemoryBound(to: Int.self)
    for n in 0 ..< parts {
      let p = part(n)
      guard let start = t.part(p.code, p.count, kept: p.kept, transfers: transfers, eager: eager, near: p.near) else {
        t.target.buffer.release()
        ck_free(offsets)
        return nil
      }
      at[n] = start
    }
    bytes = t.target.buffer.count
    silent = parts == 1 && t.silent
    guard let pages = t.target.buffer.seal() else {
      ck_free(offsets)
      return nil
    }
    self.pages = pages
    entries = UnsafePointer(offsets)
    for n in 0 ..< parts { offsets[n] = unsafeBitCast(pages.base + at[n], to: Function.self) }
    #else
    return nil
    #endif
  }

  package convenience init?(_ code: UnsafePointer<ck_instr>, count: Int, slots: Int, kept: [Int32], transfers: UnsafeBufferPointer<ck_transfer> = .init(start: nil, count: 0),
                            eager: Bool = false) {
    let copy = UnsafeMutableBufferPointer<Int32>.allocate(capacity: kept.count)
    _ = copy.initialize(from: kept)
    defer { copy.deallocate() }
    self.init(parts: 1, slots: slots, transfers: transfers, eager: eager) { _ in Part(code, count: count, kept: UnsafeBufferPointer(copy)) }
  }

  deinit { ck_free(UnsafeMutableRawPointer(mutating: entries)) }

  package func run(_ slots: UnsafeMutablePointer<UInt64>, part: Int = 0, inputs: UnsafePointer<UnsafeRawPointer?>? = nil,
                   outputs: UnsafePointer<UnsafeMutableRawPointer?>? = nil) {
    entries[part](slots, inputs, outputs)
  }
}
