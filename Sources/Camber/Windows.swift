import Tape

/// How windows move over spatial axes: one number an axis, or one for all.
public struct Windows: Sendable {
  public var stride: [Int], low: [Int], high: [Int], dilation: [Int], inputDilation: [Int], extra: [Int], groups: Int
  /// An empty stride is 1 for convolutions and the window for pools. `padding` is for both ends where `low` and `high` are not given.
  public init(stride: [Int] = [], padding: [Int] = [0], low: [Int]? = nil, high: [Int]? = nil, dilation: [Int] = [1], inputDilation: [Int] = [1], extra: [Int] = [0], groups: Int = 1) {
    (self.stride, self.low, self.high) = (stride, low ?? padding, high ?? padding)
    (self.dilation, self.inputDilation, self.extra, self.groups) = (dilation, inputDilation, extra, groups)
  }
  func list(_ l: [Int], _ rank: Int) -> [Int] { l.count == 1 ? [Int](repeating: l[0], count: rank) : l }
}

public enum Interpolation: Sendable { case nearest, linear, cubic }
/// What a cubic spline does at its ends.
public enum SplineEnds: Sendable { case notAKnot, natural, clamped, periodic }
/// What an interpolation does outside its knots.
public enum Outside: Sendable { case clamp, extrapolate, nan, error, wrap }

extension Node {
  private func with(_ others: [Node], _ body: (CoreTape, [NodeID]) -> NodeID) -> Node {
    let home = Node.home([self] + others)
    return home.node(home.core.failure == nil ? body(home.core, ([self] + others).map(home.id)) : .none)
  }

  /// self [batch, channels, spatial…], weights [outputs, channels / groups, spatial…].
  public func conv(_ weights: Node, _ o: Windows = Windows()) -> Node {
    let k = Swift.max(rank - 2, 0), stride = o.stride.isEmpty ? [1] : o.stride
    return with([weights]) { t, n in
      t.convolution(n[0], n[1], stride: o.list(stride, k), low: o.list(o.low, k), high: o.list(o.high, k), dilation: o.list(o.dilation, k),
                    inputDilation: o.list(o.inputDilation, k), groups: o.groups)
    }
  }
  /// weights [channels, outputs / groups, spatial…].
  public func convTranspose(_ weights: Node, _ o: Windows = Windows()) -> Node {
    let k = Swift.max(rank - 2, 0), stride = o.stride.isEmpty ? [1] : o.stride
    return with([weights]) { t, n in
      t.convolutionTransposed(n[0], n[1], stride: o.list(stride, k), low: o.list(o.low, k), high: o.list(o.high, k), extra: o.list(o.extra, k),
                              dilation: o.list(o.dilation, k), groups: o.groups)
    }
  }
  /// The largest of each window over the last axes, as many as the window has.
  public func maxPool(_ window: [Int], _ o: Windows = Windows()) -> Node {
    let k = window.count, s = o.stride.isEmpty ? window : o.list(o.stride, k)
    return with([]) { t, n in t.maxPool(n[0], window: window, stride: s, low: o.list(o.low, k), high: o.list(o.high, k), dilation: o.list(o.dilation, k)) }
  }
  /// Where it stands in those axes taken as one.
  public func maxPoolIndex(_ window: [Int], _ o: Windows = Windows()) -> Node {
    let k = window.count, s = o.stride.isEmpty ? window : o.list(o.stride, k)
    return with([]) { t, n in t.poolIndex(n[0], "max_pool_index", window: window, stride: s, low: o.list(o.low, k), high: o.list(o.high, k), dilation: o.list(o.dilation, k)) }
  }
  public func avgPool(_ window: [Int], _ o: Windows = Windows(), countPadding: Bool = true) -> Node {
    let k = window.count, s = o.stride.isEmpty ? window : o.list(o.stride, k)
    return with([]) { t, n in
      t.averagePool(n[0], window: window, stride: s, low: o.list(o.low, k), high: o.list(o.high, k), dilation: o.list(o.dilation, k), countPadding: countPadding)
    }
  }

  /// How many of self's ascending knots lie below each x (right: or are equal).
  public func searchsorted(_ x: Node, right: Bool = false) -> Node { with([x]) { t, n in t.apply(.searchsorted, [n[0], n[1]], [0, right ? 1 : 0, 0]) } }
  /// Values at knots, at these places.
  public func interp(_ knots: Node, _ values: Node, _ method: Interpolation = .linear, outside: Outside = .clamp, ends: SplineEnds = .notAKnot) -> Node {
    with([knots, values]) { t, n in t.interpolate(n[0], n[1], n[2], method.core, ends.core, outside.core) }
  }
  /// Values on a grid; the last axis of self holds a place.
  public func interpn(_ knots: [Node], _ values: Node, _ method: Interpolation = .linear, outside: Outside = .clamp, ends: SplineEnds = .notAKnot) -> Node {
    with(knots + [values]) { t, n in t.interpolate(n[0], grid: Array(n[1 ..< n.count - 1]), n[n.count - 1], method.core, ends.core, outside.core) }
  }
}

extension Interpolation { var core: CoreTape.Method { self == .nearest ? .nearest : self == .linear ? .linear : .cubic } }
extension SplineEnds {
  var core: CoreTape.Ends {
    switch self {
    case .notAKnot: .notAKnot
    case .natural: .natural
    case .clamped: .clamped
    case .periodic: .periodic
    }
  }
}
extension Outside {
  var core: CoreTape.Outside {
    switch self {
    case .clamp: .clamp
    case .extrapolate: .extrapolate
    case .nan: .nan
    case .error: .error
    case .wrap: .wrap
    }
  }
}
