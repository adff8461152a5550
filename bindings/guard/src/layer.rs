//! The check as a `tower` layer.

use crate::log::LogLimit;
use crate::policy::{Policy, Rejection};
use http::{Request, Response};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Asks a [`Policy`] before every request, and answers those that may not pass by a function of its owner's.
///
/// Rejections are logged with the value that was rejected, shortened, ten seconds apart at least.
#[derive(Debug)]
pub struct GuardLayer<F> {
    shared: Arc<Shared<F>>,
}

#[derive(Debug)]
struct Shared<F> {
    policy: Policy,
    answer: F,
    log: LogLimit,
}

impl<F> GuardLayer<F> {
    /// Requests that `policy` rejects are answered by `answer`.
    pub fn new(policy: Policy, answer: F) -> Self {
        GuardLayer { shared: Arc::new(Shared { policy, answer, log: LogLimit::default() }) }
    }
}

impl<F> Clone for GuardLayer<F> {
    fn clone(&self) -> Self {
        GuardLayer { shared: Arc::clone(&self.shared) }
    }
}

impl<F, S> Layer<S> for GuardLayer<F> {
    type Service = Guarded<F, S>;

    fn layer(&self, inner: S) -> Guarded<F, S> {
        Guarded { shared: Arc::clone(&self.shared), inner }
    }
}

/// A service behind a [`GuardLayer`].
#[derive(Debug)]
pub struct Guarded<F, S> {
    shared: Arc<Shared<F>>,
    inner: S,
}

impl<F, S: Clone> Clone for Guarded<F, S> {
    fn clone(&self) -> Self {
        Guarded { shared: Arc::clone(&self.shared), inner: self.inner.clone() }
    }
}

impl<F, S, A, B> Service<Request<A>> for Guarded<F, S>
where
    F: Fn(&Rejection) -> Response<B>,
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        match self.shared.policy.admit(&request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(rejection) => {
                // A missing token is an everyday matter; the others are an attack or a setting to mend.
                if rejection != Rejection::Token
                    && let Some(suppressed) = self.shared.log.permit()
                {
                    tracing::warn!(%rejection, suppressed, "refused a request");
                }
                let response = (self.shared.answer)(&rejection);
                Box::pin(std::future::ready(Ok(response)))
            }
        }
    }
}
