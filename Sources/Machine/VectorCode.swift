package import CKernels

/// Parts of block programs as loops over vectors: what the kernels give one after the other, to the bit. All parts lie in one mapping.
/// Run on any number of threads; each needs a table and spills of its own.
package final class VectorCode {
  /// One part. Values are numbers below `values`; those in `kept` are stored to their memory, the others need none.
  package struct Part {
    package let code: UnsafePointer<ck_instr>?
    package let count: Int
    package let kept: UnsafeBufferPointer<Int32>
    package let values: UnsafePointer<VectorValue>
    /// The entry of the table that points to the spills.
    package let spills: Int32
    /// No run is longer; each is a multiple of this.
    package let elements: Int, multiple: Int
    package init(_ code: UnsafePointer<ck_instr>?, count: Int, kept: UnsafeBufferPointer<Int32>, values: UnsafePointer<VectorValue>, spills: Int32,
                 elements: Int, multiple: Int) {
      self.code = code
      self.count = count
      self.kept = kept
      self.values = values
      self.spills = spills
      self.elements = elements
      self.multiple = multiple
    }
  }
  /// The elements from ..< to. Where the end is not masked, to - from is a multiple of the part's lanes.
  package typealias Function = @convention(c) (_ table: UnsafeMutableRawPointer, _ from: Int, _ to: Int) -> Void
  package struct Entry: BitwiseCopyable {
    package var function: Function
    package var lanes: Int32
    /// Bytes.
    package var spills: Int32
  }
  private let pages: Pages
  /// By part, as long as this lives.
  package let entries: UnsafePointer<Entry>
  package let bytes: Int
  /// Whether parts may end anywhere.
  package let anyEnd: Bool

  /// Whether this machine runs what is written here.
  package static var available: Bool {
    #if arch(x86_64)
    ck_level() >= 1
    #else
    false
    #endif
  }

  /// Whether an instruction of this code may stand in a part.
  package static func takes(_ code: Int32) -> Bool {
    #if arch(x86_64)
    guard code >= 0, Int(code) < Operations.count else { return false }
    let o = Operations.table[Int(code)]
    return o.op == .fromI64 ? ck_level() >= 2 : o.op != .call
    #else
    return false
    #endif
  }

  /// Nil when the machine has none of it, the host forbids executable pages, memory is refused, or the code is not sound.
  package init?(parts: Int, values: Int, _ part: (Int) -> Part) {
    #if arch(x86_64)
    guard VectorCode.available, parts > 0 else { return nil }
    var total = 0, longest = 0
    for n in 0 ..< parts {
      total += part(n).count
      longest = max(longest, part(n).count)
    }
    guard let buffer = CodeBuffer(bytes: 16384 + 24 * total),
          let made = ck_alloc(parts * MemoryLayout<Entry>.stride)?.bindMemory(to: Entry.self, capacity: parts) else { return nil }
    guard var t = VectorTranslator(X86Vector(buffer, wide: ck_level() >= 2), values: values, longest: longest) else {
      buffer.release()
      ck_free(made)
      return nil
    }
    defer { t.release() }
    let none: Function = { _, _, _ in }
    for n in 0 ..< parts {
      guard let p = t.part(part(n)) else {
        t.target.buffer.release()
        ck_free(made)
        return nil
      }
      (made + n).initialize(to: Entry(function: none, lanes: Int32(p.lanes), spills: Int32(truncatingIfNeeded: p.spills)))
      // Where it begins, until the code lies where it stays.
      UnsafeMutableRawPointer(made + n).storeBytes(of: p.start, as: Int.self)
    }
    anyEnd = t.target.masksTheRest
    bytes = t.target.buffer.count
    guard let pages = t.target.buffer.seal() else {
      ck_free(made)
      return nil
    }
    self.pages = pages
    for n in 0 ..< parts {
      let start = UnsafeRawPointer(made + n).load(as: Int.self)
      made[n].function = unsafeBitCast(pages.base + start, to: Function.self)
    }
    entries = UnsafePointer(made)
    #else
    return nil
    #endif
  }

  deinit { ck_free(UnsafeMutableRawPointer(mutating: entries)) }
}
