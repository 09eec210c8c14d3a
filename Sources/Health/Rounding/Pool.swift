import CKernels

/// Memory that is handed out piece by piece and freed as one; refuses beyond its limit.
final class Pool {
  private var blocks: [(p: UnsafeMutableRawPointer, size: Int)] = []
  private var at: UnsafeMutableRawPointer?, left = 0
  private(set) var bytes = 0
  let limit: Int
  init(limit: Int) { self.limit = limit }
  deinit { for b in blocks { ck_free(b.p) } }

  /// Aligned to 16; nil where memory or the limit refuses.
  func take(_ count: Int) -> UnsafeMutableRawPointer? {
    let size = (max(count, 1) + 15) & ~15
    if size > left {
      let block = max(size, min(1 << 22, max(1 << 14, bytes)))
      guard block <= limit - bytes, let p = ck_alloc(block) else { return nil }
      blocks.append((p, block))
      bytes += block
      at = p
      left = block
    }
    defer {
      at = at.map { $0 + size }
      left -= size
    }
    return at
  }

  /// All pieces are given back; the largest block stays.
  func reset() {
    guard let most = blocks.indices.max(by: { blocks[$0].size < blocks[$1].size }) else { return }
    let kept = blocks[most]
    for (i, b) in blocks.enumerated() where i != most { ck_free(b.p) }
    blocks = [kept]
    at = kept.p
    left = kept.size
    bytes = kept.size
  }
}
