import Glibc
import Tape

/// Digits that a sentence needs.
func short(_ v: Double) -> String {
  if v.isNaN { return "NaN" }
  if v.isInfinite { return v < 0 ? "-inf" : "inf" }
  let a = abs(v)
  if a == 0 { return "0" }
  let e = Int(floor(log10(a)))
  if e < -3 || e > 5 { return "\(trimmed(v / pow(10, Double(e))))e\(e)" }
  return trimmed(v)
}
private func trimmed(_ v: Double) -> String {
  let a = abs(v), d = a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 4, s = pow(10, Double(d)), r = (v * s).rounded() / s
  return r == r.rounded() && abs(r) < 1e15 ? "\(Int(r))" : "\(r)"
}
func percent(_ v: Double) -> String { "\(short(100 * v)) %" }

extension Flow {
  /// What the runs so far show, gravest first; what causes others comes before them.
  package func findings() -> [Finding] {
    guard seen > 0 else { return [] }
    var found = halfFormats()
    found += conditioning()
    found += scales()
    found += silence()
    if let f = stall() { found.append(f) }
    let isCaused = !found.isEmpty
    if let f = rate(isCaused) { found.append(f) }
    if found.isEmpty { found += slopes() }
    if firstBad >= 0, found.isEmpty {
      found.append(Finding("nonfinite", .error, step: firstBad, "the loss or a gradient is not finite from run \(firstBad) on.", [("run", Double(firstBad))],
                           advice: "Ask for the birth of the NaN or infinity."))
    }
    return found
  }

  private func at0(_ l: Int) -> LevelStat { earlyLevels.first.map { $0[l] } ?? LevelStat() }
  private func isHalf(_ i: Int) -> Bool { places[i].type.dtype == .f16 }

  // MARK: f16

  private func halfFormats() -> [Finding] {
    guard places.contains(where: { $0.type.dtype == .f16 }), !earlyLevels.isEmpty else { return [] }
    var out: [Finding] = []
    let n = earlyLevels.count
    // Values: the first layer; gradients: the layer nearest to the loss.
    for i in places.indices where isHalf(i) && out.isEmpty {
      for l in places[i].first ..< places[i].first + places[i].rows where out.isEmpty {
        let early = earlyLevels.filter { $0[l].bad > 0 }.count
        if early == n || (early > 0 && n < 3) {
          let input = inputs.contains { $0.isWatched && $0.largest > 32752 }
          out.append(Finding("f16 overflow", .error, place: level(l), step: 0, "values of \(level(l)) leave f16 (above 65504) in \(early) of the first \(n) runs.",
                             [("runs", Double(early))], remedy: input ? "standardize" : "precision",
                             advice: input ? "Scale the inputs: they are above f16 themselves." : "Compute in bf16, or scale the layer down."))
        }
      }
    }
    if out.isEmpty, let l = (0 ..< levelCount).reversed().first(where: { l in earlyLevels.allSatisfy { $0[l].gradientBad > 0 && $0[l].bad == 0 } }) {
      out.append(Finding("f16 overflow", .error, place: level(l), step: 0, "gradients overflow f16 from \(level(l)) on in each of the first \(n) runs, at loss scale \(short(scale)).",
                         [("loss_scale", scale)], remedy: "loss_scale", advice: "Lower the loss scale."))
    }
    if let l = (0 ..< levelCount).last(where: { at0($0).gradient == at0($0).gradient && at0($0).bad == 0 && at0($0).gradientBad == 0 }), out.isEmpty {
      let low = early(l) { $0.low }, zeros = early(l) { $0.gradientZeros }
      if zeros == 1 || low > 0.5 {
        out.append(Finding("f16 underflow", .error, place: level(l), step: 0,
                           zeros == 1 ? "all gradients of \(level(l)) are zero in f16." : "\(percent(low)) of the gradients of \(level(l)) that are not zero are below f16's normal numbers (6.1e-5); \(percent(zeros)) are zero.",
                           [("low", low), ("zeros", zeros), ("loss_scale", scale)], remedy: "loss_scale", advice: "Scale the loss up by a power of two."))
      }
    }
    return out
  }

  // MARK: inputs

  private func conditioning() -> [Finding] {
    var out: [Finding] = []
    for (k, s) in inputs.enumerated() where s.isWatched {
      let f = s.figures(), ratio = f.top / (f.typical * Double(f.live))
      if ratio > 30 {
        out.append(Finding("inputs", .warning, place: "data \(k)", step: 0, confidence: min(ratio / 60, 1),
                           "the inputs are ill-conditioned: their largest direction is \(short(ratio)) times what features of typical variance make "
                             + "(means \(short(f.offset)) deviations from 0, deviations over a factor of \(short(f.spread))).",
                           [("ratio", ratio), ("offset", f.offset), ("spread", f.spread)], remedy: "standardize", advice: "Subtract each feature's mean and divide by its deviation."))
      }
    }
    return out
  }

  // MARK: scales of weights

  /// The weights that feed a place, farthest from the scale that keeps variances: gain 1, or the root of 2 before relu.
  func deviation(_ i: Int) -> (parameter: Int, bits: Double)? {
    if normalized.contains(i) { return nil }   // whatever their size
    var worst: (Int, Double)?
    for k in places[i].parameters where parameters[k].isMatrix && parameters[k].fan > 1 {
      guard let s = earlyParameters.first?[k], s.rms.isFinite else { continue }
      let d = s.rms > 0 ? log2(s.rms * Double(parameters[k].fan).squareRoot() / (places[i].relu ? 2.0.squareRoot() : 1)) : -60
      if abs(d) > abs(worst?.1 ?? 0) { worst = (k, d) }
    }
    return worst
  }
  private func inputRMS() -> Double { middle(inputs.filter(\.isWatched).map(\.rms)) }

  private func scales() -> [Finding] {
    guard earlyLevels.first != nil else { return [] }
    var large: [(i: Int, l: Int, d: Double, k: Int)] = [], small = large
    for i in places.indices where !places[i].steps {
      guard let (k, d) = deviation(i) else { continue }
      let l = places[i].first, s = at0(l), before = i > 0 ? at0(places[i - 1].first + places[i - 1].rows - 1).rms : inputRMS()
      let forward = before > 0 && s.rms > 0 ? log2(s.rms / before) : 0
      let back = i > 0 && s.gradient > 0 ? log2(at0(l - 1).gradient / s.gradient) : 0
      if d > 1.3, forward > 1 || back > 0.3 || s.saturated > 0.25 || s.bad > 0 { large.append((i, l, d, k)) }
      if d < -1.3, forward < -1 || back < -1 || s.rms == 0 { small.append((i, l, d, k)) }
    }
    var out: [Finding] = []
    if let w = large.max(by: { $0.d < $1.d }) {
      // Of many equally wrong, where going back meets them first.
      let first = large.last { $0.d > w.d - 1 } ?? w, growth = slope, top = Format(places[w.i].type.dtype)?.largest ?? 3.4e38
      let highest = (0 ..< levelCount).map { at0($0).gradient }.filter(\.isFinite).max() ?? 1
      let more = growth > 0 && highest > 0 ? (log(top) - log(highest)) / growth : .infinity
      out.append(Finding("explode", .error, place: level(first.l), step: 0, confidence: min(first.d / 2, 1),
                         "the weights \(parameters[first.k].name) of \(level(first.l)) are \(short(pow(2, first.d))) times too large: gradients change by e^\(short(growth)) a layer on the way back"
                           + (more.isFinite ? "; at this slope \(places[w.i].type.dtype.name) overflows after \(short(more.rounded())) more layers" : "")
                           + (at0(first.l).saturated > 0.25 ? "; \(percent(at0(first.l).saturated)) of its activations are saturated." : "."),
                         [("factor", pow(2, first.d)), ("slope", growth), ("layers_to_overflow", more), ("layers", Double(large.count))], remedy: "rescale",
                         advice: "Scale the weights of \(large.count > 1 ? "the \(large.count) layers" : level(first.l)) down to the size that keeps the variance, or initialise them anew."))
    }
    if let w = small.min(by: { $0.d < $1.d }) {
      let first = small.last { $0.d < w.d + 1 } ?? w, lost = (0 ..< levelCount).last { at0($0).gradientZeros == 1 } ?? -1
      out.append(Finding("vanish", .error, place: level(first.l), step: 0, confidence: min(-first.d / 2, 1),
                         "the weights \(parameters[first.k].name) of \(level(first.l)) are \(short(pow(2, -first.d))) times too small: gradients change by e^\(short(slope)) a layer on the way back"
                           + (lost >= 0 ? "; from \(level(lost)) back they are all zero in \(places[w.i].type.dtype.name)." : "."),
                         [("factor", pow(2, first.d)), ("slope", slope), ("layers", Double(small.count))], remedy: "rescale",
                         advice: "Scale the weights of \(small.count > 1 ? "the \(small.count) layers" : level(first.l)) up to the size that keeps the variance, or initialise them anew."))
    }
    // Saturated though the weights are of the right size: a bias, or what comes in.
    if out.isEmpty, let i = places.indices.first(where: { at0(places[$0].first).saturated > 0.5 && abs(deviation($0)?.bits ?? 0) < 1.3 }) {
      let l = places[i].first
      out.append(Finding("saturated", .error, place: level(l), step: 0, confidence: at0(l).saturated,
                         "\(percent(at0(l).saturated)) of the activations of \(level(l)) are within 3 % of their ends: its gradients are lost.", [("share", at0(l).saturated)],
                         remedy: "rescale", advice: "Set the biases of \(level(l)) to zero."))
    }
    return out
  }

  /// Growth or decay over all layers that no layer's weights explain.
  private func slopes() -> [Finding] {
    var g: [(level: Int, rms: Double)] = []
    for l in (0 ..< levelCount).reversed() where at0(l).gradient > 0 && at0(l).gradient.isFinite { g.append((l, at0(l).gradient)) }
    guard g.count >= 3 else { return [] }
    let t = log2(g[g.count - 1].rms / g[0].rms), s = theilSen(g.map(\.rms))
    let high = g.map(\.rms).max() ?? 1, low = g.map(\.rms).min() ?? 1
    guard abs(s) > 0.1, abs(t) > 10, high / low > 1024 else { return [] }
    var best = 0.0, at = g[0].level
    for k in 1 ..< g.count {
      let d = (t > 0 ? 1 : -1) * log2(g[k].rms / g[k - 1].rms)
      if d > 1, best == 0 || d > 4 * best { (best, at) = (d, g[k - 1].level) }
    }
    let top = Format(places.first?.type.dtype ?? .f32)?.largest ?? 3.4e38, more = s > 0 ? (log(top) - log(high)) / s : .infinity
    return [Finding(t > 0 ? "explode" : "vanish", abs(t) > 20 ? .error : .warning, place: level(at), step: 0, confidence: min(abs(t) / 20, 1),
                    "gradients \(t > 0 ? "grow" : "shrink") by 2^\(short(abs(t))) from the last layer to the first (e^\(short(s)) a layer), from \(level(at)) on"
                      + (more.isFinite ? "; at this slope they overflow after \(short(more.rounded())) more layers." : "."),
                    [("growth", t), ("slope", s), ("layers_to_overflow", more)], remedy: t > 0 ? "clip" : "reinitialize",
                    advice: t > 0 ? "Clip the global norm of the gradients." : "Initialise the layers anew: orthogonal, of a gain that keeps the variance.")]
  }

  // MARK: dead units

  private func silence() -> [Finding] {
    for i in places.indices {
      let l = places[i].first, zero = at0(l).zeros, share = dead(i)
      guard places[i].relu, zero > 0.95 || (seen >= 20 && share > 0.6) else { continue }
      // Behind a layer that is silent itself there is nothing to see.
      let fromStart = zero > 0.95
      if !fromStart, isFast { continue }
      return [Finding("dead", .error, place: level(l), step: fromStart ? 0 : -1, confidence: seen >= 20 ? max(share, 0.5) : 0.6,
                      "\(percent(max(share, fromStart ? zero : 0))) of the units of \(level(l)) were zero in all of \(min(seen, 100)) runs: no gradient passes them.",
                      [("share", share), ("zeros", zero)], remedy: "rescale", advice: "Set the biases of \(level(l)) to zero.")]
    }
    return []
  }

  // MARK: steps

  /// The largest update of the first steps, relative to weights of a sound size.
  private func earlyRatio() -> (Double, Int) {
    var worst = (0.0, -1)
    for i in parameters.indices where parameters[i].isMatrix {
      let r = early(parameter: i) { $0.ratio }
      if r > worst.0 { worst = (r, i) }
    }
    return worst
  }
  private var isFast: Bool { earlyRatio().0 > 0.15 }

  private func stall() -> Finding? {
    // What a compensated parameter cannot hold is not lost.
    guard seen >= 10, !isCompensated else { return nil }
    var worst = (0.0, -1)
    for i in parameters.indices where parameters[i].type.dtype.isHalf && parameters[i].isMatrix {
      let s = median(parameter: i) { $0.stalled }
      if s > worst.0 { worst = (s, i) }
    }
    guard worst.1 >= 0, worst.0 > 0.5 else { return nil }
    let name = parameters[worst.1].type.dtype.name, stuck = median(parameter: worst.1) { $0.stuck }
    return Finding("\(name) stall", .error, place: parameters[worst.1].name, step: seen - 1, confidence: min(worst.0 + 0.3, 1),
                   "\(percent(worst.0)) of the weights \(parameters[worst.1].name) that have a gradient do not move in a step, \(percent(stuck)) not for eight: the update is under half a unit of \(name).",
                   [("stalled", worst.0), ("stuck", stuck)], remedy: "compensate", advice: "Keep what \(name) cannot hold beside the weights (compensate), or keep the weights in f32.")
  }

  private func rate(_ isCaused: Bool) -> Finding? {
    guard seen >= 3, losses.count >= 3 else { return nil }
    let (ratio, k) = earlyRatio()
    let last = losses.suffix(max(losses.count / 4, 1)), recent = middle(Array(last.map { $0.isFinite ? $0 : .infinity }))
    let isLost = firstBad > 0 || recent > 2 * abs(firstLoss) || recent.isInfinite
    // Large first steps from which the loss fell well did no harm.
    let isFine = firstLoss > 0 && recent < 0.6 * firstLoss
    guard firstLoss.isFinite, !isCaused, ratio > 0.15 && !isFine || isLost && runs > warmup else { return nil }
    let place = k >= 0 ? parameters[k].name : ""
    return Finding("learning rate", isLost ? .error : .warning, place: place, step: firstBad, confidence: isLost && ratio > 0.15 ? 1 : 0.7,
                   "the first updates are \(percent(ratio)) of the weights \(place); the loss went from \(short(firstLoss)) to \(short(recent))" + (firstBad > 0 ? " and is not finite from run \(firstBad) on." : "."),
                   [("update_ratio", ratio), ("first_loss", firstLoss), ("loss", recent)], remedy: "learning_rate", advice: "Lower the learning rate.")
  }
}
