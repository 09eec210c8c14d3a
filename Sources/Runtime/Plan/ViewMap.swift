import Tape

/// Which element of its root each element of a view is: offset plus the digits of its number, to the radices `extent`, times `stride`.
/// Axes that are one run are one axis, so that a reshape changes nothing.
struct ViewMap {
  struct Axis { var extent: Int, stride: Int }
  var offset = 0
  private(set) var axes: [Axis] = []

  /// Of p, a slice, transpose or broadcast of o; nil where its axes do not fit those that the operand's map has.
  init?(_ g: Graph, _ p: Int, _ o: Int) {
    let n = NodeID(g.items[p].node), shape = g.tape.shape(NodeID(g.items[o].node)), a = g.tape.attrs(n)
    guard let parts = ViewMap.parts(shape, ViewMap.axes(g, o)) else { return nil }
    if g.items[o].rep < 0 { offset = g.maps[Int(~g.items[o].rep)] }
    switch Structural(rawValue: g.record(p).op) {
    case .transpose:
      let head = shape.count - a.count
      for k in 0 ..< head { parts[k].forEach { add($0) } }
      for k in a { parts[head + k].forEach { add($0) } }
    case .broadcast:
      let to = g.tape.shape(n), head = to.count - shape.count
      for k in 0 ..< head { add(Axis(extent: to[k], stride: 0)) }
      for k in shape.indices {
        if shape[k] == to[head + k] { parts[k].forEach { add($0) } } else { add(Axis(extent: to[head + k], stride: 0)) }
      }
    case .slice:
      let head = shape.count - a.count / 3
      for k in shape.indices {
        let cut = k < head ? [0, shape[k], 1] : Array(a[3 * (k - head) ..< 3 * (k - head) + 3])
        if cut[0] == 0, cut[1] == shape[k], cut[2] == 1 {
          parts[k].forEach { add($0) }
        } else if parts[k].count <= 1 {
          let stride = parts[k].first?.stride ?? 0
          offset += cut[0] * stride
          add(Axis(extent: cut[1], stride: cut[1] > 1 ? cut[2] * stride : 0))
        } else {
          guard cut[1] == 1 else { return nil }
          var rest = cut[0]
          for x in parts[k].reversed() {
            offset += rest % x.extent * x.stride
            rest /= x.extent
          }
        }
      }
    default: return nil
    }
    if axes.isEmpty || axes.count > 32 { return nil }
  }

  private mutating func add(_ a: Axis) {
    if a.extent == 1 { return }
    if let last = axes.last, last.stride == a.stride * a.extent {
      axes[axes.count - 1] = Axis(extent: last.extent * a.extent, stride: a.stride)
    } else {
      axes.append(a)
    }
  }

  /// The map of any item over its root's elements.
  private static func axes(_ g: Graph, _ o: Int) -> [Axis] {
    let rep = Int(g.items[o].rep)
    if rep < 0 {
      let at = ~rep
      return (0 ..< g.maps[at + 1]).map { Axis(extent: g.maps[at + 2 + 2 * $0], stride: g.maps[at + 3 + 2 * $0]) }
    }
    let period = g.elements(Int(g.items[o].root)), lead = g.elements(o) / max(period * rep, 1)
    return [Axis(extent: lead, stride: 0), Axis(extent: period, stride: 1), Axis(extent: rep, stride: 0)].filter { $0.extent != 1 }
  }

  /// The map's axes dealt out to those of the shape; nil where one does not end where the other does.
  private static func parts(_ shape: [Int], _ axes: [Axis]) -> [[Axis]]? {
    var result = [[Axis]](repeating: [], count: shape.count), left = axes
    for k in shape.indices.reversed() {
      var rest = shape[k]
      while rest > 1 {
        guard let a = left.popLast() else { return nil }
        if rest % a.extent == 0 {
          result[k].insert(a, at: 0)
          rest /= a.extent
        } else {
          guard a.extent % rest == 0 else { return nil }
          result[k].insert(Axis(extent: rest, stride: a.stride), at: 0)
          left.append(Axis(extent: a.extent / rest, stride: a.stride * rest))
          rest = 1
        }
      }
    }
    return result
  }

  /// The root itself.
  func isWhole(_ count: Int) -> Bool { offset == 0 && axes.count == 1 && axes[0].extent == count && axes[0].stride == 1 }

  /// Whether lines of memory are left and come back to when the cache has lost them: a large transpose, which a kernel does in tiles.
  func scatters(_ size: Int) -> Bool {
    var lines = 1
    for a in axes.reversed() {
      let bytes = abs(a.stride) * size
      if bytes < 64, bytes > 0, lines > 1024 { return true }
      if bytes >= 64 { lines *= a.extent }
    }
    return false
  }
}
