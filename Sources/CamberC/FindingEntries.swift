public import CCamber
import Glibc
import Health
import Tape

/// Rows as C reads them: the strings live as long as the handle.
final class FindingsHandle: Handled {
  let rows: [Finding]
  private var kept: [UnsafeMutablePointer<CChar>?] = []
  init(_ r: [Finding]) {
    rows = r
    for f in r { for s in [f.kind, f.place, f.evidence, f.remedy, f.advice] { kept.append(strdup(s)) } }
    for f in r { for n in f.numbers { kept.append(strdup(n.name)) } }
  }
  deinit { for k in kept { free(k) } }

  func text(_ i: Int, _ field: String) -> UnsafePointer<CChar>? {
    guard rows.indices.contains(i) else { return nil }
    let k: Int
    switch field {
    case "kind": k = 0
    case "place": k = 1
    case "evidence": k = 2
    case "remedy": k = 3
    case "advice": k = 4
    default: return nil
    }
    return kept[5 * i + k].map { UnsafePointer($0) }
  }
  func number(_ i: Int, _ k: Int) -> (UnsafePointer<CChar>?, Double)? {
    guard rows.indices.contains(i), rows[i].numbers.indices.contains(k) else { return nil }
    let before = rows[..<i].reduce(5 * rows.count) { $0 + $1.numbers.count }
    return (kept[before + k].map { UnsafePointer($0) }, rows[i].numbers[k].value)
  }
  func number(_ i: Int, _ field: String) -> Double {
    guard rows.indices.contains(i) else { return .nan }
    switch field {
    case "severity": return Double(rows[i].severity.rawValue)
    case "step": return Double(rows[i].step)
    case "confidence": return rows[i].confidence
    default: return rows[i].numbers.first { $0.name == field }?.value ?? .nan
    }
  }
}

func findingsHandle(_ h: OpaquePointer?) -> FindingsHandle? { lend(h, .findings, as: FindingsHandle.self) { $0 } }

@_cdecl("camber_findings_free") @implementation public func camber_findings_free(_ findings: OpaquePointer!) { freeHandle(.findings, findings) }
@_cdecl("camber_findings_count") @implementation public func camber_findings_count(_ findings: OpaquePointer!) -> Int { findingsHandle(findings)?.rows.count ?? 0 }
@_cdecl("camber_findings_text") @implementation public func camber_findings_text(
  _ findings: OpaquePointer!, _ i: Int, _ field: UnsafePointer<CChar>!
) -> UnsafePointer<CChar>! {
  guard let field else { return empty }
  return findingsHandle(findings)?.text(i, String(cString: field)) ?? empty
}
@_cdecl("camber_findings_number") @implementation public func camber_findings_number(_ findings: OpaquePointer!, _ i: Int, _ field: UnsafePointer<CChar>!) -> Double {
  guard let field else { return .nan }
  return findingsHandle(findings)?.number(i, String(cString: field)) ?? .nan
}
@_cdecl("camber_findings_evidence") @implementation public func camber_findings_evidence(
  _ findings: OpaquePointer!, _ i: Int, _ k: Int, _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ value: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = findingsHandle(findings) else { return CAMBER_EHANDLE.raw }
  guard let (n, v) = h.number(i, k) else { return CAMBER_EINVAL.raw }
  name?.pointee = n
  value?.pointee = v
  return 0
}
