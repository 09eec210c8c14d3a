public import CCamber
import Health
import Optimize
import Tape

// What the observers of other families give to a report.

private func missing(_ what: StaticString) -> Failure { Failure(.handle, "report: the \(what) is NULL, freed or none") }

@_cdecl("camber_report_add_findings") @implementation public func camber_report_add_findings(_ report: OpaquePointer!, _ findings: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = findingsHandle(findings) else { throw missing("list of findings") }
    for f in h.rows { r.add(f) }
  }
}
@_cdecl("camber_report_add_flow") @implementation public func camber_report_add_flow(_ report: OpaquePointer!, _ flow: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = flowHandle(flow) else { throw missing("flow") }
    h.flow.describe(r)
  }
}
@_cdecl("camber_report_add_rounding") @implementation public func camber_report_add_rounding(_ report: OpaquePointer!, _ rounding: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = roundingHandle(rounding) else { throw missing("rounding") }
    try h.rounding.describe(r)
  }
}
@_cdecl("camber_report_add_check") @implementation public func camber_report_add_check(_ report: OpaquePointer!, _ check: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = checkHandle(check) else { throw missing("check") }
    try h.check.describe(r)
  }
}
@_cdecl("camber_report_add_nonfinite") @implementation public func camber_report_add_nonfinite(_ report: OpaquePointer!, _ nonfinite: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = nonfiniteHandle(nonfinite) else { throw missing("search for NaNs") }
    h.trace.describe(r)
  }
}
@_cdecl("camber_report_add_stabilizer") @implementation public func camber_report_add_stabilizer(_ report: OpaquePointer!, _ stabilizer: OpaquePointer!) -> camber_status {
  told(report) { (r) throws(Failure) in
    guard let h = stabilizerHandle(stabilizer) else { throw missing("stabilizer") }
    h.stabilizer.describe(r)
  }
}
