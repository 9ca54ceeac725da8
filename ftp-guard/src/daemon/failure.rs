//! Errors of the parts below as failures with an exit code.

use crate::{
    control::{
        protocol::{DiagnosticView, EXIT_CONFIGURATION, Failure},
        socket::SocketError,
    },
    datapath::DatapathError,
    diagnostic::Diagnostics,
    store::StoreError,
    telemetry::exporter::ListenError,
};

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let message = match diagnostics.0.len() {
            1 => "one mistake in the files".to_owned(),
            count => format!("{count} mistakes in the files"),
        };
        let diagnostics = diagnostics
            .0
            .into_iter()
            .map(|diagnostic| DiagnosticView {
                file: diagnostic.file,
                line: diagnostic.line,
                column: diagnostic.column,
                message: diagnostic.message,
            })
            .collect();
        Self {
            exit_code: EXIT_CONFIGURATION,
            message,
            diagnostics,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(EXIT_CONFIGURATION, error.to_string())
    }
}

impl From<DatapathError> for Failure {
    fn from(error: DatapathError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}

impl From<SocketError> for Failure {
    fn from(error: SocketError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        Self::failed(error.to_string())
    }
}
