import CKernels
import Glibc

/// Memory for code while it is written: it grows by moving, so code must not know where it lies.
struct CodeBuffer {
  private(set) var base: UnsafeMutablePointer<UInt8>
  private var end: UnsafeMutablePointer<UInt8>
  var at: UnsafeMutablePointer<UInt8>

  init?(bytes: Int) {
    let size = CodeBuffer.whole(bytes)
    guard let p = CodeBuffer.map(size) else { return nil }
    base = p
    at = p
    end = p + size
  }

  var count: Int { at - base }
  private var capacity: Int { end - base }

  @inline(__always) var room: Int { end - at }

  /// False when memory is refused; the buffer then stands as it was.
  mutating func grow() -> Bool {
    let size = capacity * 2, used = count
    guard let p = CodeBuffer.map(size) else { return false }
    p.update(from: base, count: used)
    munmap(base, capacity)
    base = p
    at = p + used
    end = p + size
    return true
  }

  func release() { munmap(base, capacity) }

  /// The code as executable pages that nobody can write; nil where the host forbids that. The buffer is used up either way.
  func seal() -> Pages? {
    let kept = CodeBuffer.whole(count)
    if kept < capacity { munmap(base + kept, capacity - kept) }
    guard mprotect(base, kept, PROT_READ | PROT_EXEC) == 0 else {
      munmap(base, kept)
      return nil
    }
    ck_code_written(base, base + kept)
    return Pages(base, bytes: kept)
  }

  // mmap returns MAP_FAILED, never nil.
  private static func map(_ bytes: Int) -> UnsafeMutablePointer<UInt8>? {
    guard let p = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), p != MAP_FAILED else { return nil }
    return p.bindMemory(to: UInt8.self, capacity: bytes)
  }
  private static let page = max(Int(getpagesize()), 4096)
  private static func whole(_ bytes: Int) -> Int { (max(bytes, 1) + page - 1) / page * page }

  // MARK: writing

  /// The low `n` bytes of `v`, n <= 8. Eight bytes of room must be left.
  @inline(__always) mutating func put(_ v: UInt64, _ n: Int) {
    UnsafeMutableRawPointer(at).storeBytes(of: v, as: UInt64.self)
    at += n
  }

  /// The displacement of a jump: from behind the 4 bytes at `place` to `target`.
  mutating func patch(_ place: Int, _ target: Int) {
    UnsafeMutableRawPointer(base + place).storeBytes(of: Int32(truncatingIfNeeded: target - place - 4), as: Int32.self)
  }
}

/// Executable pages, unmapped with their owner.
final class Pages {
  let base: UnsafeMutablePointer<UInt8>
  let bytes: Int
  init(_ base: UnsafeMutablePointer<UInt8>, bytes: Int) {
    self.base = base
    self.bytes = bytes
  }
  deinit { munmap(base, bytes) }
}
