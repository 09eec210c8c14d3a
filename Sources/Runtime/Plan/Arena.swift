import Tape

/// Places in one arena: best fit among what has been freed, neighbours joined, the end moved on only when nothing fits. Sizes
/// are multiples of 64.
struct Arena {
  private struct Hole { var offset: Int, size: Int }
  private(set) var end = 0
  private var byOffset: [Hole] = []
  private var bySize: [Hole] = []

  static let limit = 1 << 56

  mutating func allocate(_ bytes: Int) throws(Failure) -> Int {
    guard bytes <= Arena.limit else { throw refused }
    let size = up(max(bytes, 1), 64)
    let i = lower(bySize) { $0.size < size }
    if i < bySize.count {
      let h = bySize.remove(at: i)
      let k = lower(byOffset) { $0.offset < h.offset }
      if h.size == size {
        byOffset.remove(at: k)
      } else {
        byOffset[k] = Hole(offset: h.offset + size, size: h.size - size)
        insertBySize(byOffset[k])
      }
      return h.offset
    }
    var offset = end
    if let last = byOffset.last, last.offset + last.size == end {
      removeBySize(last)
      byOffset.removeLast()
      offset = last.offset
    }
    end = offset &+ size
    guard end <= Arena.limit else { throw refused }
    return offset
  }

  mutating func free(_ offset: Int, _ bytes: Int) {
    var h = Hole(offset: offset, size: up(max(bytes, 1), 64))
    var k = lower(byOffset) { $0.offset < h.offset }
    if k < byOffset.count, h.offset + h.size == byOffset[k].offset {
      h.size += byOffset[k].size
      removeBySize(byOffset[k])
      byOffset.remove(at: k)
    }
    if k > 0, byOffset[k - 1].offset + byOffset[k - 1].size == h.offset {
      k -= 1
      removeBySize(byOffset[k])
      h = Hole(offset: byOffset[k].offset, size: byOffset[k].size + h.size)
      byOffset[k] = h
    } else {
      byOffset.insert(h, at: k)
    }
    insertBySize(h)
  }

  private mutating func insertBySize(_ h: Hole) {
    bySize.insert(h, at: lower(bySize) { $0.size < h.size || ($0.size == h.size && $0.offset < h.offset) })
  }
  private mutating func removeBySize(_ h: Hole) {
    bySize.remove(at: lower(bySize) { $0.size < h.size || ($0.size == h.size && $0.offset < h.offset) })
  }

  private func lower(_ a: [Hole], _ before: (Hole) -> Bool) -> Int {
    var low = 0, high = a.count
    while low < high {
      let mid = (low + high) / 2
      if before(a[mid]) { low = mid + 1 } else { high = mid }
    }
    return low
  }
}
