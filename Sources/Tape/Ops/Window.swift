import CKernels

/// Convolutions and pooling as users ask for them.
extension Tape {
  /// x [batch, channels, spatial…], w [outputs, channels / groups, spatial…]: cross-correlation, as networks mean by convolution. Lists have one
  /// entry a spatial axis.
  package func convolution(_ x: NodeID, _ w: NodeID, stride: [Int], low: [Int], high: [Int], dilation: [Int], inputDilation: [Int], groups: Int) -> NodeID {
    guard let k = spatial("conv", x, w, [stride, low, high, dilation, inputDilation]) else { return .none }
    var axes: [ConvAxis] = []
    for i in 0 ..< k {
      let n = shape(x)[2 + i], m = shape(w)[2 + i]
      guard n < 1 << 31 else { return fail(.memory, "conv: axis \(i) has \(n) elements; fewer than 2^31 are taken") }
      guard sound("conv", i, stride: stride[i], [dilation[i], inputDilation[i]], [low[i], high[i]], m) else { return .none }
      let wide = (n == 0 ? 0 : (n - 1) * inputDilation[i] + 1) + low[i] + high[i], window = (m - 1) * dilation[i] + 1
      guard wide >= window else { return fail(.shape, "conv: axis \(i): a window of \(window) over \(wide) elements, padding counted") }
      axes.append(ConvAxis(s: stride[i], d: dilation[i], b: inputDilation[i], low: low[i], p: (wide - window) / stride[i] + 1))
    }
    return conv(x, w, ConvAttrs(groups: groups, x: .channels, w: .weights, y: .channels, axes: axes))
  }

  /// The transpose of `convolution` with the same weights, [channels, outputs / groups, spatial…]; `extra` more places at the high end.
  package func convolutionTransposed(_ x: NodeID, _ w: NodeID, stride: [Int], low: [Int], high: [Int], extra: [Int], dilation: [Int], groups: Int) -> NodeID {
    guard let k = spatial("conv_transpose", x, w, [stride, low, high, extra, dilation]) else { return .none }
    var axes: [ConvAxis] = []
    for i in 0 ..< k {
      let n = shape(x)[2 + i], m = shape(w)[2 + i]
      guard n < 1 << 31 else { return fail(.memory, "conv_transpose: axis \(i) has \(n) elements; fewer than 2^31 are taken") }
      guard sound("conv_transpose", i, stride: stride[i], [dilation[i]], [low[i], high[i], extra[i]], m) else { return .none }
      guard extra[i] >= 0, extra[i] < max(stride[i], dilation[i]) else { return fail(.invalid, "conv_transpose: axis \(i): \(extra[i]) more places; fewer than the stride or the dilation are taken") }
      let p = (n - 1) * stride[i] - low[i] - high[i] + (m - 1) * dilation[i] + extra[i] + 1
      guard n > 0, p >= 0 else { return fail(.shape, "conv_transpose: axis \(i): a result of \(p) elements from \(n)") }
      axes.append(ConvAxis(s: 1, d: -dilation[i], b: stride[i], low: -low[i], p: p))
    }
    return conv(x, w, ConvAttrs(groups: groups, x: .channels, w: ConvLayout(swapped: true, groupsLast: false), y: .channels, axes: axes))
  }

  private func spatial(_ name: String, _ x: NodeID, _ w: NodeID, _ lists: [[Int]]) -> Int? {
    guard failure == nil, contains(x), contains(w) else {
      if failure == nil { fail(.node, "\(name): an operand is not a node of this tape") }
      return nil
    }
    let k = shape(x).count - 2
    guard dtype(x) != .bool else { fail(.dtype, "\(name): takes numbers, not bool"); return nil }
    guard dtype(x) == dtype(w) else { fail(.dtype, "\(name): dtypes \(dtype(x).name) and \(dtype(w).name) differ; cast one first"); return nil }
    guard (1 ... 3).contains(k), shape(w).count == k + 2 else {
      fail(.shape, "\(name): x of shape \(text(shape(x))) and weights of shape \(text(shape(w))); both have two axes and then one to three spatial ones")
      return nil
    }
    guard lists.allSatisfy({ $0.count == k }) else { fail(.invalid, "\(name): \(lists.map(\.count)) entries for \(k) spatial axes"); return nil }
    return k
  }

  private func sound(_ name: String, _ i: Int, stride: Int, _ dilations: [Int], _ paddings: [Int], _ window: Int) -> Bool {
    let far = 1 << 31
    guard stride > 0, stride < far, dilations.allSatisfy({ $0 > 0 && $0 < far }), paddings.allSatisfy({ $0.magnitude < far }), window > 0, window < far else {
      fail(.invalid, "\(name): axis \(i): stride \(stride), dilation \(dilations), padding \(paddings), \(window) taps")
      return false
    }
    return true
  }

  // MARK: pooling

  /// The largest of each window over the last axes; NaN wins, the first of equals has the derivative. Padding is never chosen.
  package func maxPool(_ x: NodeID, window: [Int], stride: [Int], low: [Int], high: [Int], dilation: [Int]) -> NodeID {
    let i = poolIndex(x, "max_pool", window: window, stride: stride, low: low, high: high, dilation: dilation)
    guard contains(i) else { return .none }
    let k = window.count, s = shape(x), lead = s.dropLast(k).reduce(1, &*)
    let flat = reshape(x, [lead, s.suffix(k).reduce(1, &*)]), picks = reshape(i, [lead, shape(i).suffix(k).reduce(1, &*)])
    return reshape(apply(.gather, [flat, picks], [-1, 1]), shape(i))
  }

  /// Where `maxPool` takes its values from: places in the last axes taken as one.
  package func poolIndex(_ x: NodeID, _ name: String, window: [Int], stride: [Int], low: [Int], high: [Int], dilation: [Int]) -> NodeID {
    guard let p = windows(x, name, window, stride, low, high, dilation) else { return .none }
    return apply(.poolIndex, [x], [window.count] + window.indices.flatMap { [window[$0], stride[$0], dilation[$0], low[$0], p[$0]] })
  }

  /// The mean of each window over the last axes; padding counts as zeros, or (`countPadding` false) not at all.
  package func averagePool(_ x: NodeID, window: [Int], stride: [Int], low: [Int], high: [Int], dilation: [Int], countPadding: Bool) -> NodeID {
    guard let p = windows(x, "avg_pool", window, stride, low, high, dilation) else { return .none }
    let d = dtype(x), k = window.count, s = shape(x), wide: DType = d.isHalf ? .f32 : d
    guard d.isFloat else { return fail(.dtype, "avg_pool: takes floats, not \(type(x).description)") }
    let axes = (0 ..< k).map { ConvAxis(s: stride[$0], d: dilation[$0], b: 1, low: low[$0], p: p[$0]) }
    let flat = reshape(cast(x, wide), [s.dropLast(k).reduce(1, &*), 1] + s.suffix(k))
    let sums = conv(flat, full(TensorType(wide, [1, 1] + window), 1), ConvAttrs(groups: 1, x: .channels, w: .weights, y: .channels, axes: axes))
    guard contains(sums) else { return .none }
    let y = reshape(sums, s.dropLast(k) + p)
    var count = full(TensorType(wide, p), countPadding ? Double(window.reduce(1, &*)) : 1)
    if !countPadding {
      for i in 0 ..< k {
        guard p[i] < 1 << 26 else { return fail(.memory, "avg_pool: \(p[i]) windows along axis \(i)") }
        let n = s[s.count - k + i]
        let inside = (0 ..< p[i]).map { q in
          let at = q * stride[i] - low[i], first = at < 0 ? (dilation[i] - 1 - at) / dilation[i] : 0
          return Double(max(min((n - 1 - at) / dilation[i], window[i] - 1) - first + 1, 0))
        }
        var t = [Int](repeating: 1, count: k)
        t[i] = p[i]
        let line = inside.withUnsafeBytes { raw in raw.baseAddress.map { array(TensorType(.f64, t), $0) } ?? full(TensorType(.f64, t), 1) }
        count = mul(count, broadcast(cast(line, wide), to: p))
      }
    }
    return cast(div(y, broadcast(count, to: shape(y))), d)
  }

  /// The extents of a pooled array.
  private func windows(_ x: NodeID, _ name: String, _ window: [Int], _ stride: [Int], _ low: [Int], _ high: [Int], _ dilation: [Int]) -> [Int]? {
    guard failure == nil, contains(x) else {
      if failure == nil { fail(.node, "\(name): the operand is not a node of this tape") }
      return nil
    }
    let k = window.count, s = shape(x)
    guard (1 ... 3).contains(k), s.count >= k, [stride, low, high, dilation].allSatisfy({ $0.count == k }) else {
      fail(.shape, "\(name): windows over \(k) axes of shape \(text(s)); one to three are taken, with as many strides, paddings and dilations")
      return nil
    }
    var p: [Int] = []
    for i in 0 ..< k {
      guard sound(name, i, stride: stride[i], [dilation[i]], [low[i], high[i]], window[i]) else { return nil }
      let n = s[s.count - k + i], span = (window[i] - 1) * dilation[i] + 1
      guard n < 1 << 31 else { fail(.memory, "\(name): axis \(i) has \(n) elements; fewer than 2^31 are taken"); return nil }
      guard low[i] >= 0, high[i] >= 0, low[i] < span, high[i] < span else { fail(.invalid, "\(name): axis \(i): padding \(low[i]), \(high[i]) with a window that spans \(span)"); return nil }
      guard n + low[i] + high[i] >= span else { fail(.shape, "\(name): axis \(i): a window of \(span) over \(n + low[i] + high[i]) elements, padding counted"); return nil }
      p.append((n + low[i] + high[i] - span) / stride[i] + 1)
    }
    return p
  }
}

extension ConvLayout {
  static let channels = ConvLayout(swapped: false, groupsLast: true), weights = ConvLayout(swapped: false, groupsLast: false)
}
