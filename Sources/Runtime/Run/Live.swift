extension Program {
  /// Bytes of results alive while each step runs: those that it and later steps still read. (Loops' bodies have memory of their own beside.)
  package var liveBytes: [Int] {
    let s = structure, n = s.clusters.stageStart[s.stages]
    var change = [Int](repeating: 0, count: n + 1), out: [Int] = [], now = 0
    for v in 0 ..< s.values.list.count {
      let x = s.values.list[v]
      guard x.origin == .step, x.parent < 0, x.first >= 0, Int(x.first) < n else { continue }
      change[Int(x.first)] += x.bytes
      change[min(Int(max(x.last, x.first)) + 1, n)] -= x.bytes
    }
    for t in 0 ..< n {
      now += change[t]
      out.append(now)
    }
    return out
  }
}
