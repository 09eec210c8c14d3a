import CKernels

/// A growable array of trivial elements from the allocator that may refuse: `append` then returns false and nothing changes.
package struct Buffer<Element: BitwiseCopyable>: ~Copyable {
  package private(set) var base: UnsafeMutablePointer<Element>?
  package private(set) var count = 0
  package private(set) var capacity = 0

  package init() {}
  deinit { ck_free(base) }

  package var bytes: Int { capacity * MemoryLayout<Element>.stride }

  package subscript(i: Int) -> Element {
    @inline(__always) get {
      assert(i >= 0 && i < count)
      return base.unsafelyUnwrapped[i]
    }
    @inline(__always) set {
      assert(i >= 0 && i < count)
      base.unsafelyUnwrapped[i] = newValue
    }
  }

  @inline(__always)
  package mutating func append(_ e: Element) -> Bool {
    if !makeRoom() { return false }
    base.unsafelyUnwrapped[count] = e
    count += 1
    return true
  }

  /// Room for one more.
  @inline(__always) package mutating func makeRoom() -> Bool { count < capacity || reserve(Swift.max(64, capacity + capacity / 2)) }

  package mutating func reserve(_ wanted: Int) -> Bool {
    if wanted <= capacity { return true }
    let stride = MemoryLayout<Element>.stride
    guard let p = ck_realloc(base, bytes, wanted * stride) else { return false }
    base = p.bindMemory(to: Element.self, capacity: wanted)
    capacity = wanted
    return true
  }

  /// Makes the buffer `n` elements long, new ones set to `value`.
  package mutating func resize(_ n: Int, filling value: Element) -> Bool {
    guard reserve(n) else { return false }
    if n > count { (base.unsafelyUnwrapped + count).initialize(repeating: value, count: n - count) }
    count = n
    return true
  }

  /// The same where what lies behind the end has been written already.
  package mutating func extend(to n: Int) -> Bool {
    guard reserve(n) else { return false }
    count = n
    return true
  }

  package mutating func removeAll() { count = 0 }
  @inline(__always) package mutating func removeLast() { count -= 1 }
}
