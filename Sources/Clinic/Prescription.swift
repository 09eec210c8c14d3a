import CKernels
package import Health
package import Optimize
package import Tape

/// Remedies, each applied by one call: to the host's parameters, to the optimizer, the loss scaler, or the flow's own program.
package struct Prescription {
  package let flow: Flow, optimizer: Optimizer?, scaler: ((Double) -> Void)?
  package let params: UnsafePointer<UnsafeMutableRawPointer?>, data: UnsafePointer<UnsafeRawPointer?>?

  package init(_ f: Flow, _ o: Optimizer?, _ s: ((Double) -> Void)?, _ p: UnsafePointer<UnsafeMutableRawPointer?>, _ d: UnsafePointer<UnsafeRawPointer?>?) {
    (flow, optimizer, scaler, params, data) = (f, o, s, p, d)
  }
  package static let names = "agc, clip, clip_norm, clip_value, compensate, damping, gradient_clip, gradient_penalty, l1, l2, learning_rate, loss_scale, lsuv, normalize, precision, reinitialize, rescale, residual, spectral_norm, standardize, weight_decay, whiten"

  /// What was done, as a sentence.
  package func apply(_ remedy: String, _ place: String) throws(Failure) -> String {
    switch remedy {
    case "rescale": return try rescale(place)
    case "reinitialize": return try reinitialize(place)
    case "lsuv": return try lsuv(place)
    case "learning_rate": return try learningRate()
    case "loss_scale": return try lossScale()
    case "standardize": return try flow.standardize(place, whiten: false)
    case "whiten": return try flow.standardize(place, whiten: true)
    case "normalize": return try flow.normalize(place)
    case "residual": return try flow.scaleResiduals()
    case "gradient_penalty": return try flow.penalize(1e-2)
    case "spectral_norm": return try option("spectral_norm", 1.5, "each matrix of weights is scaled to a largest singular value of at most 1.5 after each step")
    case "damping":
      guard let optimizer, optimizer.option("epsilon") > 0 else { throw Failure(.invalid, "prescribe: damping is the epsilon of adam or adamw; of a solver, see camber_solver_prescribe") }
      return try option("epsilon", max(1e-4 * flow.typicalEntry, 10 * optimizer.option("epsilon")), "steps along directions of little gradient are damped (epsilon)")
    case "precision":
      if let f = flow.set("compute", Double(DType.bf16.rawValue)) { throw f }
      return "the tape computes in bf16, whose numbers reach as far as f32's"
    case "compensate":
      if let f = flow.set("compensated", 1) { throw f }
      return try option("compensate", 1, "what the 16-bit parameters cannot hold is kept beside them")
    case "clip", "gradient_clip": return try option("zclip", 2.5, "gradients whose joint norm lies 2.5 deviations above its mean are scaled down (ZClip)")
    case "agc": return try option("agc", 0.01, "a unit's gradient is at most 0.01 of its weights' norm (adaptive clipping)")
    case "clip_norm":
      let c = flow.typicalNorm
      guard c > 0, c.isFinite else { throw Failure(.invalid, "prescribe: no finite gradient norm has been seen") }
      return try option("clip_global_norm", 2 * c, "the joint norm of gradients is at most \(2 * c), twice its median")
    case "clip_value": return try option("clip_value", 1, "entries of gradients are clipped to [-1, 1]")
    case "weight_decay": return try option("weight_decay", 1e-2, "weights decay by 0.01 of the rate a step")
    case "l1": return try option("l1", 1e-5, "a penalty of 1e-5 of the sum of magnitudes")
    case "l2": return try option("l2", 1e-4, "a penalty of 1e-4 of half the sum of squares")
    default: throw Failure(.invalid, "prescribe: no remedy is called \(remedy); there are \(Prescription.names)")
    }
  }

  private func option(_ name: String, _ value: Double, _ said: String) throws(Failure) -> String {
    guard let optimizer else { throw Failure(.invalid, "prescribe: this remedy is an option of the optimizer, which is NULL") }
    if let f = optimizer.set(name, value) { throw f }
    return said
  }

  /// Training steps on copies of parameters and optimizer, through the batches that were seen (those given, of none): what is then found. Nothing else changes.
  package func verify(_ steps: Int) throws(Failure) -> [Finding] {
    guard steps >= 1, steps <= 1 << 20 else { throw Failure(.invalid, "verify: \(steps) steps") }
    var kept: [UnsafeMutableRawPointer?] = []
    defer { for k in kept { ck_free(k) } }
    try keep("verify", &kept)
    let copy = optimizer?.copy()
    flow.forget()
    defer { flow.forget() }
    for s in 0 ..< steps {
      try kept.withUnsafeBufferPointer { k throws(Failure) in
        guard let p = k.baseAddress else { return }
        try flow.rerun(p, data, batch: s)
        if let copy { _ = try flow.withGradients { g in Result { () throws(Failure) in try copy.step(p, g) } }.get() }
      }
    }
    return flow.findings()
  }

  /// Copies of the parameters, which the caller frees.
  private func keep(_ what: String, _ kept: inout [UnsafeMutableRawPointer?]) throws(Failure) {
    for i in 0 ..< flow.parameterCount {
      let b = flow.parameterType(i).bytes
      guard let p = params[i] else { throw Failure(.invalid, "\(what): parameter \(i) is NULL") }
      guard let k = ck_alloc(max(b, 64)) else { throw Failure(.memory, "\(what): memory for a copy of the parameters was refused") }
      k.copyMemory(from: p, byteCount: b)
      kept.append(k)
    }
  }

  // MARK: weights

  /// Orthogonal weights of gain 1, or the root of 2 before relu, and biases zero, of the layers that are wrong; of one that is right else, only that.
  private func reinitialize(_ place: String) throws(Failure) -> String {
    var done = 0
    for k in try flow.suspects(place) {
      guard let p = params[k.parameter] else { throw Failure(.invalid, "prescribe: parameter \(k.parameter) is NULL") }
      let t = flow.parameterType(k.parameter)
      try initialize(k.isMatrix ? .orthogonal : .zeros, t, p, gain: k.gain, seed: Int64(1 + k.parameter))
      done += 1
    }
    guard done > 0 else { throw Failure(.invalid, "prescribe: no parameter feeds \(place)") }
    flow.forget()
    return "\(done) parameters are initialised anew: orthogonal weights that keep the variance, biases zero"
  }

  /// Weights brought to the size that keeps variances, those that have none drawn anew; biases that saturate or silence set to zero.
  private func rescale(_ place: String) throws(Failure) -> String {
    var scaled = 0, zeroed = 0, factor = 1.0
    for k in try flow.suspects(place) {
      guard let p = params[k.parameter] else { throw Failure(.invalid, "prescribe: parameter \(k.parameter) is NULL") }
      let t = flow.parameterType(k.parameter), d = t.dtype.rawValue
      var s = ck_tally()
      ck_tally_array(d, p, t.count, 0, .infinity, false, &s)
      let rms = (s.squares / Double(t.count)).squareRoot()
      if !k.isMatrix {
        guard s.bad > 0 || s.largest > 3 else { continue }
        p.initializeMemory(as: UInt8.self, repeating: 0, count: t.bytes)
        zeroed += 1
      } else if s.bad > 0 || rms < 1e-30 {
        try initialize(.orthogonal, t, p, gain: k.gain, seed: Int64(1 + k.parameter))
        scaled += 1
      } else {
        let f = k.gain / (rms * Double(k.fan).squareRoot())
        guard f > 1.5 || f < 1 / 1.5 else { continue }
        multiply(p, t.dtype, t.count, f)
        factor = f
        scaled += 1
      }
    }
    guard scaled + zeroed > 0 else { return try reinitialize(place) }
    flow.forget()
    return "\(scaled) arrays of weights are scaled to keep the variance\(scaled == 1 ? " (times \(factor))" : ""), \(zeroed) biases set to zero"
  }

  /// Layer-sequential unit variance (Mishkin & Matas 2016): orthogonal, then each layer divided by the deviation of its results, before tanh or relu, until that is within 0.1 of 1.
  private func lsuv(_ place: String) throws(Failure) -> String {
    _ = try reinitialize(place)
    var scaled = 0
    for i in 0 ..< flow.placeCount where place.isEmpty || flow.placeName(i) == place {
      guard let k = flow.ownMatrix(i), let p = params[k] else { continue }
      for _ in 0 ..< 8 {
        _ = try flow.probe(params, data)
        let r = flow.outputRMS(i)
        guard r > 0, r.isFinite, abs(r - 1) > 0.1 else { break }
        multiply(p, flow.parameterType(k).dtype, flow.parameterType(k).count, 1 / r)
      }
      scaled += 1
    }
    flow.forget()
    return "\(scaled) layers are orthogonal, their results of unit variance before the activation (LSUV)"
  }

  // MARK: steps

  /// The learning rate, lowered by halves of an octave until 48 steps of the same method on batches that were seen go down; the best of the eight from there on.
  private func learningRate() throws(Failure) -> String {
    guard let optimizer else { throw Failure(.invalid, "prescribe: the learning rate is an option of the optimizer, which is NULL") }
    var kept: [UnsafeMutableRawPointer?] = []
    defer { for k in kept { ck_free(k) } }
    try keep("prescribe", &kept)
    func restore() { for (i, k) in kept.enumerated() { if let k { params[i]?.copyMemory(from: k, byteCount: flow.parameterType(i).bytes) } } }
    // A trial that fails leaves the host's parameters as they were, too.
    defer {
      restore()
      flow.forget()
    }
    let start = optimizer.option("learning_rate"), initial = try level()
    var rate = start, best = (Double.infinity, 0.0), tries = 0
    for _ in 0 ..< 40 {
      let loss = try trial(optimizer, rate)
      restore()
      if loss < best.0 { best = (loss, rate) }
      // A network that died of its steps gives a loss that is about as good as nothing: not there yet.
      if best.0 < 0.8 * abs(initial) { tries += 1 }
      if tries >= 8 { break }
      rate /= 2.0.squareRoot()
    }
    guard best.1 > 0 else { throw Failure(.invalid, "prescribe: the loss falls at no learning rate from \(start) down to \(rate)") }
    // What holds for 48 steps on few batches may not hold for more: measured, half of an octave and one more (Benchmarks/health/runs.py).
    let chosen = best.1 / 8.0.squareRoot()
    if let f = optimizer.set("learning_rate", chosen) { throw f }
    return "the learning rate is \(chosen), not \(start)"
  }

  /// The mean loss of the batches that were seen, before any step.
  private func level() throws(Failure) -> Double {
    let n = max(flow.batchCount, 1)
    var sum = 0.0
    for k in 0 ..< n { sum += (flow.batchCount == 0 ? try flow.probe(params, data) : try flow.probe(params, batch: k)).loss / Double(n) }
    return sum
  }
  /// The mean loss of the last round of 48 steps through the batches that were seen (those given, of none), infinite where it is not below the first round's.
  private func trial(_ o: Optimizer, _ rate: Double) throws(Failure) -> Double {
    guard let copy = o.copy() else { return .infinity }
    if let f = copy.set("learning_rate", rate) { throw f }
    let n = max(flow.batchCount, 1)
    var first = 0.0, last = 0.0
    for step in 0 ..< 48 {
      let r = flow.batchCount == 0 ? try flow.probe(params, data) : try flow.probe(params, batch: step % n)
      guard r.isFinite else { return .infinity }
      if step < n { first += r.loss / Double(n) }
      if step >= 48 - n { last += r.loss / Double(n) }
      let code = flow.withGradients { g in Result { () throws(Failure) in try copy.step(params, g) } }
      guard try code.get() == .ok else { return .infinity }
    }
    return last < first ? last : .infinity
  }

  /// The largest power of two at which nothing leaves the format by a factor of 16.
  private func lossScale() throws(Failure) -> String {
    let before = flow.scale
    for e in stride(from: 24, through: -24, by: -1) {
      let s = Double(sign: .plus, exponent: e, significand: 1)
      if let f = flow.set("loss_scale", s) { throw f }
      let r = try flow.probe(params, data)
      guard r.isFinite, r.largest * 16 < 65504 else { continue }
      scaler?(s)
      flow.forget()
      return "the loss is scaled by \(s), not \(before)"
    }
    if let f = flow.set("loss_scale", before) { throw f }
    throw Failure(.invalid, "prescribe: gradients are not finite at any loss scale; their birth is not an overflow")
  }
}
