import CKernels
import Tape

/// Factorisations and equations in binary128. Where LAPACK chooses (pivots, signs, the order of what is equal), its result in f64 is begun with.
extension Evaluator {
  func matrix(_ s: Structural, _ types: [TensorType], _ type: TensorType, _ a: [Int], _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let (count, m, n) = matrixSize(types[0]), k = min(m, n), unsettled = "\(row(s).name) has no wide form at such a matrix"
    func room(_ numbers: Int) -> UnsafeMutableRawPointer? { scratch.take(numbers * 16) }
    /// The row `f` in f64 of the operand, as binary128.
    func start(_ f: Structural, _ attrs: [Int], _ each: Int) -> UnsafeMutableRawPointer? {
      let t = TensorType(.f64, types[0].shape.dropLast(2) + [each])
      guard let low = narrowed(types[0], x[0]), let p = scratch.take(t.count * 8), let q = room(t.count), kernel(f, [types[0].with(.f64)], t, attrs, [low], p) == nil else { return nil }
      ck_quad_from(DType.f64.rawValue, p, q, t.count)
      return q
    }
    switch s {
    case .sylvester, .solveBanded: return refined(s, types, type, a, x, out)
    case .expm:
      guard let t = room((3 << (x.count - 1) + 1) * n * n) else { return refused }
      for i in 0 ..< count {
        var ok = false
        x.map { $0 + i * n * n * 16 as UnsafeRawPointer? }.withUnsafeBufferPointer { p in ok = p.baseAddress.map { ck_quad_expm(n, x.count - 1, $0, out + i * n * n * 16, t) } ?? false }
        if !ok, n > 0 { return unsettled }
      }
      return nil
    case .sqrtm:
      guard let t = room(5 * n * n) else { return refused }
      for i in 0 ..< count where n > 0 { if !ck_quad_sqrtm(n, x[0] + i * n * n * 16, out + i * n * n * 16, t) { return unsettled } }
      return nil
    case .qr:
      let q = a[0] != 0 ? m : k
      guard let t = room(m * n + m) else { return refused }
      for i in 0 ..< count { ck_quad_qr(m, n, q, x[0] + i * m * n * 16, out + i * (m * q + q * n) * 16, t) }
      return nil
    case .lu:
      guard let q = start(.lu, [], m * n + m), let order = scratch.take(m * 8)?.assumingMemoryBound(to: Double.self) else { return refused }
      for i in 0 ..< count {
        let at = i * (m * n + m) * 16 + m * n * 16
        ck_quad_to(q + at, order, m)
        for j in 0 ..< m where !(order[j] >= 0 && order[j] < Double(m)) { return unsettled }
        ck_quad_lu(m, n, x[0] + i * m * n * 16, order, out + i * (m * n + m) * 16)
        (out + at).copyMemory(from: q + at, byteCount: m * 16)
      }
      return nil
    case .eigh, .eigvalsh:
      let each = n + n * n
      guard let q = start(.eigh, a, each), let t = room(2 * n * n) else { return refused }
      for i in 0 ..< count where n > 0 {
        let w = q + i * each * 16
        if !ck_quad_eigh(n, a[0] != 0, x[0] + i * n * n * 16, w, w + n * 16, t) { return unsettled }
        let size = s == .eigh ? each : n
        (out + i * size * 16).copyMemory(from: w, byteCount: size * 16)
      }
      return nil
    case .svd, .svdvals, .pinv, .cofactor:
      let full = s == .svd && a[0] != 0, p = full ? m : k, q = full ? n : k, each = m * p + k + q * n
      guard let y = start(.svd, [full ? 1 : 0], each), let t = room(m * n + k * k + max(m * p, q * n) + n) else { return refused }
      for i in 0 ..< count where k > 0 {
        let u = y + i * each * 16, sigma = u + m * p * 16, vt = sigma + k * 16
        if !ck_quad_svd(m, n, p, q, x[0] + i * m * n * 16, u, sigma, vt, t) { return unsettled }
        switch s {
        case .svd: (out + i * each * 16).copyMemory(from: u, byteCount: each * 16)
        case .svdvals: (out + i * k * 16).copyMemory(from: sigma, byteCount: k * 16)
        case .pinv: ck_quad_pinv(m, n, Double(bitPattern: UInt64(bitPattern: Int64(a[0]))), u, sigma, vt, out + i * m * n * 16)
        default: ck_quad_cofactor(n, u, sigma, vt, out + i * n * n * 16, t)
        }
      }
      return nil
    default: return "\(row(s).name) has no wide form"
    }
  }

  /// L(X) = B by its f64 kernel and residuals in binary128, until corrections no longer count.
  private func refined(_ s: Structural, _ types: [TensorType], _ type: TensorType, _ a: [Int], _ x: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer) -> String? {
    let (count, n, m) = matrixSize(type), total = type.count, last = x.count - 1, unsettled = "\(row(s).name) has no wide form at such a matrix"
    var low: [UnsafeRawPointer] = []
    for i in x.indices { guard let p = narrowed(types[i], x[i]) else { return refused }; low.append(p) }
    guard let rest = scratch.take(total * 16), let narrow = scratch.take(total * 8), let step = scratch.take(total * 8), let wide = scratch.take(total * 16), let t = scratch.take(n * m * 32) else { return refused }
    let add = Int32(OpCode(Binary.add).raw), steps = step.assumingMemoryBound(to: Double.self), types64 = types.map { $0.with(.f64) }
    rest.copyMemory(from: x[last], byteCount: total * 16)
    for i in 0 ..< total * 2 { out.storeBytes(of: UInt64(0), toByteOffset: i * 8, as: UInt64.self) }
    var before = Double.infinity, size = 0.0
    for _ in 0 ..< 100 {
      ck_quad_to(rest, narrow.assumingMemoryBound(to: Double.self), total)
      low[last] = UnsafeRawPointer(narrow)
      if let said = kernel(s, types64, type.with(.f64), a, low, step) { return said }
      var most = 0.0
      for i in 0 ..< total { if !(abs(steps[i]) <= most) { most = abs(steps[i]) } }
      if !most.isFinite || most > before / 2 { return most.isFinite && before <= size * 0x1p-90 ? nil : unsettled }
      ck_quad_from(DType.f64.rawValue, step, wide, total)
      _ = ck_quad_row(add, out, wide, nil, out, total)
      size = max(size, most)
      if most <= size * 0x1p-106 { return nil }
      before = most
      for i in 0 ..< count {
        let at = i * n * m * 16
        if s == .solveBanded {
          ck_quad_banded(a[2] != 0, n, m, a[0], a[1], x[0] + i * (a[0] + a[1] + 1) * n * 16, out + at, x[1] + at, rest + at)
          continue
        }
        // C - op(A) X - X op(B), or C - X + op(A) X op(B)
        let A = x[0] + i * n * n * 16, B = x[1] + i * m * m * 16, u = t + n * m * 16, discrete = a[2] != 0
        ck_quad_matmul(a[0] != 0, false, n, m, n, A, out + at, t, nil, nil)
        ck_quad_matmul(false, a[1] != 0, n, m, m, discrete ? UnsafeRawPointer(t) : UnsafeRawPointer(out + at), B, u, nil, nil)
        ck_quad_sub(x[2] + at, discrete ? UnsafeRawPointer(out + at) : UnsafeRawPointer(t), rest + at, n * m)
        if discrete { _ = ck_quad_row(add, rest + at, u, nil, rest + at, n * m) } else { ck_quad_sub(rest + at, u, rest + at, n * m) }
      }
    }
    return unsettled
  }
}
