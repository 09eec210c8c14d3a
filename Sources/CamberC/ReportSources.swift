public import CCamber
import Health
import Tape
import Glibc

// What the observers of other families give to a report, by their own C functions.

func notice(_ f: Finding) -> Report.Notice { Report.Notice(kind: f.kind, severity: f.severity.rawValue, place: f.place, evidence: f.evidence, advice: f.advice) }
func spelled(_ s: UnsafePointer<CChar>?) -> String { s.map { String(cString: $0) } ?? "" }

@_cdecl("camber_report_add_findings") @implementation public func camber_report_add_findings(_ report: OpaquePointer!, _ findings: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = findingsHandle(findings) else { throw Failure(.handle, "report: the findings are NULL, freed or none") }
    addFindings(r, h.rows)
  }
}
@inline(never) func addFindings(_ r: Report, _ rows: [Finding]) { for f in rows { r.add(notice(f)) } }

@_cdecl("camber_report_add_flow") @implementation public func camber_report_add_flow(_ report: OpaquePointer!, _ flow: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard flowHandle(flow) != nil else { throw Failure(.handle, "report: the flow is NULL, freed or none") }
    addFlow(r, flow)
  }
}
@inline(never) private func addFlow(_ r: Report, _ flow: OpaquePointer?) {
  if let found = camber_flow_findings(flow) {
    if let h = findingsHandle(found) { addFindings(r, h.rows) }
    camber_findings_free(found)
  }
  let n = camber_flow_levels(flow), names = (0 ..< n).map { spelled(camber_flow_level(flow, $0)) }, slope = camber_flow_slope(flow)
  r.section("Gradient flow", "Medians over the last runs, layer by layer from the input to the loss." + (slope.isFinite ? " On the way back gradients change by a factor of \(sixDigits(exp(slope))) a layer." : ""))
  guard n > 0 else { return }
  func statistic(_ name: String) -> [Double] {
    var v = [Double](repeating: .nan, count: n)
    _ = camber_flow_statistic(flow, name, &v, n)
    return v
  }
  for (title, list, log) in [("Gradient and value by layer", ["gradient_rms", "value_rms"], true), ("Shares by layer", ["value_zeros", "gradient_zeros", "gradient_low", "saturated", "dead"], false)] {
    for name in list {
      let v = statistic(name)
      if v.contains(where: \.isFinite) { addBars(r, title, name, names, v, unit: log ? "root mean square" : "share of elements (0 to 1)", log: log) }
    }
  }
  let all = ["value_rms", "value_max", "gradient_rms", "gradient_max", "gradient_zeros", "gradient_low"], columns = all.map(statistic)
  r.table("Layers", ["layer"] + all, (0 ..< n).map { i in [.text(names[i])] + columns.map { .number($0[i]) } })
}
